"""Features and gradients of whole networks of torchvision, timm and efficientnet-lite-pytorch: writes expected.safetensors.

    python generate.py      # torch 2.9.0, torchvision 0.24.0, timm 1.0.31, efficientnet-lite-pytorch 0.1.0, safetensors

Every tensor is filled by a formula of its name, `offset + scale sin(0.37 j + phase)` with j the flat index, and so is the image. Of each
network NAME there are `NAME` (features `[2, n]`, batch norm by its running statistics), and `NAME/KEY` for each KEY of its state_dict but
the classifier's and the counters: offset, scale, and of the gradient of the features' sum, weighted from -1 to 1, its product with
`sin(j)` and its length; both 0 of what is not trained. Weights and image are float32's, it is calculated in float64: in float32 PyTorch's
own gradients are off by up to 2.3e-3 of their length (efficientnet_lite0, `_blocks.14._expand_conv.weight`).
"""

import math
from pathlib import Path

import timm
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import get_model_params
from safetensors.torch import save_file


def efficientnet_lite0():
    blocks, settings = get_model_params("efficientnet-lite0", {"image_size": None})
    return EfficientNet(blocks, settings)


def pooled_efficientnet(net, x):
    return net.extract_features(x).mean((2, 3))


def mlp():
    sizes = [784, 500, 500, 2000, 10]
    layers = [torch.nn.Flatten()]
    for number, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU() if number < 3 else torch.nn.Identity()]
    return torch.nn.Sequential(*layers)


def without(name):
    def build():
        net = getattr(torchvision.models, name)(weights=None)
        if name.startswith("resnet"):
            net.fc = torch.nn.Identity()
        else:
            # ConvNeXt's norm behind the pooling is in its classifier.
            net.classifier = torch.nn.Sequential(*list(net.classifier)[:-1])
        return net

    return build


def vit():
    return timm.create_model("vit_tiny_patch16_224", img_size=64, num_classes=0)


def forward(net, x):
    return net(x)


# Name, network, its features, image.
NETWORKS = [
    ("resnet18", without("resnet18"), forward, (3, 64, 64)),
    ("resnet50", without("resnet50"), forward, (3, 64, 64)),
    ("mobilenet_v2", without("mobilenet_v2"), forward, (3, 64, 64)),
    ("convnext_tiny", without("convnext_tiny"), forward, (3, 64, 64)),
    # 56 is halved to 7, which is odd.
    ("efficientnet_lite0", efficientnet_lite0, pooled_efficientnet, (3, 56, 56)),
    ("vit_tiny", vit, forward, (3, 64, 64)),
    ("mlp", mlp, forward, (1, 28, 28)),
]


def phase(name):
    return float(sum((i + 1) * byte for i, byte in enumerate(name.encode())) % 1000)


def rule(name, shape):
    """Offset and scale."""
    if len(shape) > 1:
        return 0.0, math.sqrt(2 / math.prod(shape[1:]))
    return (1.0, 0.1) if "weight" in name or "var" in name else (0.0, 0.1)


def wave(count, step, phase=0.0):
    return torch.sin(step * torch.arange(count, dtype=torch.float64) + phase)


def main():
    out = {}
    for name, build, features, image in NETWORKS:
        torch.manual_seed(0)
        net = build().eval()
        state = net.state_dict()
        kept = [k for k in state if not k.endswith("num_batches_tracked") and not k.startswith("_fc.")]
        rules = {key: tuple(torch.tensor(rule(key, state[key].shape)).tolist()) for key in kept}
        for key in kept:
            offset, scale = rules[key]
            values = offset + scale * wave(state[key].numel(), 0.37, phase(key))
            state[key].copy_(values.float().reshape(state[key].shape))
        net = net.double()
        x = wave(2 * math.prod(image), 0.0173).float().double().reshape(2, *image)
        y = features(net, x)
        (y * torch.linspace(-1, 1, y.numel()).double().reshape(y.shape)).sum().backward()
        gradients = {key: p.grad for key, p in net.named_parameters()}
        out[name] = y.detach().float().contiguous()
        for key in kept:
            gradient = gradients.get(key)
            said = [0.0, 0.0]
            if gradient is not None:
                flat = gradient.flatten()
                said = [(flat * wave(flat.numel(), 1.0)).sum().item(), flat.norm().item()]
            out[f"{name}/{key}"] = torch.tensor([*rules[key], *said], dtype=torch.float32)
        print(name, tuple(y.shape), y.abs().max().item(), y.std().item(), len(kept))
    save_file(out, Path(__file__).parent / "expected.safetensors")


if __name__ == "__main__":
    main()
