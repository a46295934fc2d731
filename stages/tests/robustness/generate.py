"""What the corruptions of CIFAR-10-C that draw nothing make of a piece of scikit-image's astronaut: `expected.safetensors` beside this file.

    pip install scikit-image==0.26.0 pillow==13.0.0 safetensors; python generate.py

`image` is [24, 20, 3], of bytes. `NAME.SEVERITY` is what becomes of it at severities 1, 3 and 5, of values from 0 to 255 that are not rounded
yet, by the formulas of `make_cifar_c.py` (https://github.com/hendrycks/robustness), but for what robustness.rs says of the border of a blur
and of the colours of a JPEG.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from safetensors.numpy import save_file
from skimage.color import hsv2rgb, rgb2hsv
from skimage.filters import gaussian

image = skimage.data.astronaut()[10:34, 190:210]
values = image / 255


def blur(sigma):
    return gaussian(values, sigma=sigma, mode="mirror", channel_axis=-1)


def contrast(share):
    means = values.mean(axis=(0, 1), keepdims=True)
    return np.clip((values - means) * share + means, 0, 1)


def brightness(more):
    hsv = rgb2hsv(values)
    hsv[..., 2] = np.clip(hsv[..., 2] + more, 0, 1)
    return hsv2rgb(hsv)


def pixelate(share):
    height, width, _ = image.shape
    small = Image.fromarray(image).resize((int(width * share), int(height * share)), Image.BOX)
    return np.array(small.resize((width, height), Image.BOX)) / 255


def jpeg(quality):
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return np.array(Image.open(file)) / 255


arrays = {"image": image}
for of, strengths in (
    (blur, (0.4, 0.7, 1)),
    (contrast, (0.75, 0.4, 0.15)),
    (brightness, (0.05, 0.15, 0.3)),
    (pixelate, (0.95, 0.85, 0.65)),
    (jpeg, (80, 58, 40)),
):
    for severity, strength in zip((1, 3, 5), strengths):
        arrays[f"{of.__name__}.{severity}"] = of(strength) * 255
save_file(
    {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}, Path(__file__).parent / "expected.safetensors"
)
