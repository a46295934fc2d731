"""A tiny Vision Transformer of timm as torch.save writes it, and what it makes of two images.

    python generate.py      # torch 2.9.0, timm 1.0.31, safetensors

vit.pth: zip; legacy.pth: the pickle before it; wrapped.safetensors: behind `model.`, in float16 where that loses nothing; reference.safetensors:
`images` u8 [2, 3, 16, 16] and `features` [2, 12], of images normalised with ImageNet's mean and sd; hostile.pth: a pickle that, when it is
executed, makes a file `executed-by-a-pickle` where the program runs.
"""

import pickle
import subprocess
from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

here = Path(__file__).parent
torch.manual_seed(0)
net = VisionTransformer(img_size=16, patch_size=4, embed_dim=12, depth=2, num_heads=3, num_classes=4).eval()
with torch.no_grad():
    for parameter in net.parameters():
        # Eighths are float16's too.
        parameter.copy_((8 * (parameter + 0.5 * torch.randn_like(parameter))).round() / 8)
state = net.state_dict()
torch.save(state, here / "vit.pth")
torch.save({"state_dict": state, "epoch": 3}, here / "legacy.pth", _use_new_zipfile_serialization=False)
save_file({f"model.{k}": v.half() for k, v in state.items()}, here / "wrapped.safetensors")

images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
mean, sd = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
with torch.no_grad():
    features = net.forward_head(net.forward_features((images / 255 - mean) / sd), pre_logits=True)
save_file({"images": images, "features": features.contiguous()}, here / "reference.safetensors")


class Hostile:
    def __reduce__(self):
        return subprocess.getoutput, ("touch executed-by-a-pickle",)


(here / "hostile.pth").write_bytes(pickle.dumps({"weight": Hostile()}, protocol=2))
