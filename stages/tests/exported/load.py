"""Loads exported weights into a library's own network and prints what it makes of an image: `load.py LIBRARY MODEL SIZE FILE`.

The image is [1, 3, SIZE, SIZE] of sin(0.0173 j)."""

import sys

import torch
from safetensors.torch import load_file

library, name, size, file = sys.argv[1:]
if library == "timm":
    import timm

    like = {"img_size": int(size)} if "vit" in name else {}
    model = timm.create_model(name, num_classes=0, **like)
else:
    import torchvision

    model = getattr(torchvision.models, name)()

found = model.load_state_dict(load_file(file), strict=False)

assert not found.unexpected_keys, found
missing = [key for key in found.missing_keys if not key.startswith(("fc.", "classifier.", "head.fc"))]
assert not missing, missing
if hasattr(model, "fc"):
    model.fc = torch.nn.Identity()
if library == "torchvision" and hasattr(model, "classifier"):
    model.classifier = torch.nn.Sequential(*list(model.classifier)[:-1])
count = 3 * int(size) ** 2
image = torch.sin(0.0173 * torch.arange(count, dtype=torch.float64)).float().reshape(1, 3, int(size), int(size))
with torch.no_grad():
    print(*model.eval()(image).flatten().tolist())
