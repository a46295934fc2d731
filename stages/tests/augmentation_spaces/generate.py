"""Writes expected.safetensors beside this file: what torchvision 0.24's TrivialAugmentWide and
RandAugment make of a photograph.

`source` is [height, width, 3]; `SPACE.OPERATION.BIN.SIGN` is [3, height, width], by torchvision's
numbers of operation and of strength; SPACE is `wide` or `rand`. Values are bytes, rounded. Needs torch, torchvision, pillow, numpy and safetensors."""
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.numpy import save_file
from torchvision.transforms import v2

# Bin 4 would shear by .04, which puts a row half way between two pixels: the nearest is then a matter of rounding.
BINS = [(7, -1), (9, 1), (30, -1)]
# Not square, and large enough for equalize to do something.
HEIGHT, WIDTH = 18, 20

here = Path(__file__).parent
strip = Image.open(here / "../../src/augment/samples.png").convert("RGB")
source = numpy.asarray(strip.crop((64, 0, 128, 64)).resize((WIDTH, HEIGHT)))
image = torch.from_numpy(source.copy()).permute(2, 0, 1) / 255
arrays = {"source": source}
for space, augment in [("wide", v2.TrivialAugmentWide()), ("rand", v2.RandAugment())]:
    for number, (name, (magnitudes, signed)) in enumerate(augment._AUGMENTATION_SPACE.items()):
        values = magnitudes(augment.num_magnitude_bins, HEIGHT, WIDTH)
        for bin_, sign in BINS if values is not None else BINS[:1]:
            magnitude = 0.0 if values is None else float(values[bin_]) * (sign if signed else 1)
            out = augment._apply_image_or_video_transform(
                image, name, magnitude, interpolation=augment.interpolation, fill=augment._fill
            )
            arrays[f"{space}.{number}.{bin_}.{sign}"] = (out * 255).round().to(torch.uint8).numpy()
save_file({name: numpy.ascontiguousarray(array) for name, array in arrays.items()}, here / "expected.safetensors")
