"""What scikit-image's filters make of a noisy piece of its astronaut: `expected.safetensors` beside this file.

    pip install scikit-image==0.26.0 safetensors; python generate.py

`colour.noisy` is [20, 18, 3], `grey.noisy` [20, 18, 1], values from 0 to 1 with Gaussian noise of deviation `sigma` [1]; `.median` and
`.nl_means` are what a median over 3 x 3 pixels and non-local means make of it.
"""

from pathlib import Path

import numpy as np
import skimage.data
from safetensors.numpy import save_file
from skimage.filters import median
from skimage.restoration import denoise_nl_means

SIGMA = 0.1
clean = skimage.data.astronaut()[40:60, 195:213].astype(np.float32) / 255
noisy = (clean + SIGMA * np.random.default_rng(0).normal(size=clean.shape)).astype(np.float32)
arrays = {"sigma": np.array([SIGMA], np.float32)}
for name, image in (("colour", noisy), ("grey", noisy[..., :1])):
    arrays[f"{name}.noisy"] = image
    arrays[f"{name}.median"] = median(image, np.ones((3, 3, 1)), mode="nearest", behavior="ndimage")
    arrays[f"{name}.nl_means"] = denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=0.8 * SIGMA, sigma=SIGMA, fast_mode=False, channel_axis=-1
    ).reshape(image.shape)
save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, Path(__file__).parent / "expected.safetensors")
