"""Writes expected.safetensors beside this file: what PyTorch's Transformer makes of two images as a Vision Transformer.

Weights are by our names, without the encoder's; `image` is [2, 3, 24, 16], `features` is [2, 12], and `gradient.NAME` that
of the sum of features times `upstream`. Patches of 4, width 12, 12 blocks of 3 heads. Needs torch and safetensors."""
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

WIDTH, DEPTH, HEADS, PATCH, HEIGHT, LENGTH = 12, 12, 3, 4, 24, 16

torch.manual_seed(0)
patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
layer = nn.TransformerEncoderLayer(
    WIDTH, HEADS, 4 * WIDTH, dropout=0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
)
norm = nn.LayerNorm(WIDTH, eps=1e-6)
blocks = nn.TransformerEncoder(layer, DEPTH, norm, enable_nested_tensor=False)
class_token = torch.randn(WIDTH, requires_grad=True)
with torch.no_grad():
    for parameter in [*patches.parameters(), *blocks.parameters()]:
        parameter.normal_(std=0.3)


def position(row, column):
    """Vaswani et al. 2017, section 3.5, of row and column, half of the width each: all sines, then all cosines."""
    waves = WIDTH // 4
    angles = [[place / 10_000 ** (wave / waves) for wave in range(waves)] for place in (row, column)]
    return torch.cat([f(torch.tensor(angle)) for angle in angles for f in (torch.sin, torch.cos)])


image = torch.randn(2, 3, HEIGHT, LENGTH)
upstream = torch.randn(2, WIDTH)
rows, columns = HEIGHT // PATCH, LENGTH // PATCH
positions = torch.stack([position(row, column) for row in range(rows) for column in range(columns)])
tokens = patches(image).flatten(2).transpose(1, 2) + positions
features = blocks(torch.cat([class_token.expand(2, 1, WIDTH), tokens], 1))[:, 0]
(features * upstream).sum().backward()

OURS = {
    "self_attn.in_proj_": "qkv.", "self_attn.out_proj.": "proj.", "linear1.": "fc1.", "linear2.": "fc2.", "norm1.": "norm1.",
    "norm2.": "norm2.",
}  # fmt: skip
tensors = {"patches.weight": patches.weight, "patches.bias": patches.bias, "class_token": class_token}
for name, parameter in blocks.named_parameters():
    for theirs, ours in OURS.items():
        name = name.replace(theirs, ours)
    tensors[name.replace("layers.", "blocks.")] = parameter
arrays = {"image": image, "upstream": upstream, "features": features, **tensors}
arrays |= {f"gradient.{name}": tensor.grad for name, tensor in tensors.items() if ".7." in name or "blocks" not in name}
save_file(
    {name: array.detach().clone().contiguous() for name, array in arrays.items()}, Path(__file__).parent / "expected.safetensors"
)
