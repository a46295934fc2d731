"""Writes expected.safetensors beside this file: the loss of a masked autoencoder and its gradients, made of PyTorch's Transformer.

`encoder.NAME` and `decoder.NAME` are weights by our names, `image` is [2, 3, 8, 12], `order` [2, 6] the order of each image's patches, of
which the first 2 are seen; `loss` [1], and `gradient.PART.NAME` its gradients. Patches of 4; encoder: width 12, 2 blocks; decoder:
width 24, 1 block; 3 heads each. Needs torch and safetensors."""
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

PATCH, HEIGHT, LENGTH, HEADS, KEPT = 4, 8, 12, 3, 2
ROWS, COLUMNS = HEIGHT // PATCH, LENGTH // PATCH
WIDTH, DECODER_WIDTH = 12, 24

torch.manual_seed(0)


def transformer(width, depth):
    layer = nn.TransformerEncoderLayer(
        width, HEADS, 4 * width, dropout=0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, nn.LayerNorm(width, eps=1e-6), enable_nested_tensor=False)


def positions(width):
    """Vaswani et al. 2017, section 3.5, of row and column, half of the width each: all sines, then all cosines."""
    waves = width // 4
    rows = []
    for place in ((row, column) for row in range(ROWS) for column in range(COLUMNS)):
        angles = [[at / 10_000 ** (wave / waves) for wave in range(waves)] for at in place]
        rows.append(torch.cat([f(torch.tensor(angle)) for angle in angles for f in (torch.sin, torch.cos)]))
    return torch.stack(rows)


patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
class_token = torch.randn(WIDTH, requires_grad=True)
encoder, decoder = transformer(WIDTH, 2), transformer(DECODER_WIDTH, 1)
embed, to_values = nn.Linear(WIDTH, DECODER_WIDTH), nn.Linear(DECODER_WIDTH, 3 * PATCH * PATCH)
mask_token = torch.randn(DECODER_WIDTH, requires_grad=True)
with torch.no_grad():
    for module in (patches, encoder, decoder, embed, to_values):
        for parameter in module.parameters():
            parameter.normal_(std=0.3)

image = torch.randn(2, 3, HEIGHT, LENGTH)
order = torch.stack([torch.randperm(ROWS * COLUMNS) for _ in range(2)])
tokens = patches(image).flatten(2).transpose(1, 2) + positions(WIDTH)
all_restored = []
for tokens_of_one, order_of_one in zip(tokens, order):
    seen = encoder(torch.cat([class_token[None], tokens_of_one[order_of_one[:KEPT]]])[None])[0]
    seen = embed(seen)
    full = [mask_token] * (ROWS * COLUMNS)
    for place, number in enumerate(order_of_one[:KEPT].tolist()):
        full[number] = seen[1 + place]
    full = torch.stack(full) + positions(DECODER_WIDTH)
    all_restored.append(to_values(decoder(torch.cat([seen[:1], full])[None])[0, 1:]))

errors = []
for number in range(2):
    for patch in order[number, KEPT:].tolist():
        top, left = patch // COLUMNS * PATCH, patch % COLUMNS * PATCH
        target = image[number, :, top : top + PATCH, left : left + PATCH].permute(1, 2, 0).flatten()
        target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((all_restored[number][patch] - target).square().mean())
loss = torch.stack(errors).mean()
loss.backward()

OURS = {
    "self_attn.in_proj_": "qkv.", "self_attn.out_proj.": "proj.", "linear1.": "fc1.", "linear2.": "fc2.", "layers.": "blocks.",
}  # fmt: skip


def ours(name):
    for theirs, own in OURS.items():
        name = name.replace(theirs, own)
    return name


tensors = {"encoder.class_token": class_token, "decoder.mask_token": mask_token}
for part, module in (
    ("encoder.patches", patches), ("encoder", encoder), ("decoder.embed", embed), ("decoder", decoder), ("decoder.to_values", to_values),
):  # fmt: skip
    tensors |= {f"{part}.{ours(name)}": parameter for name, parameter in module.named_parameters()}
arrays = {"image": image, "order": order.float(), "loss": loss[None], **tensors}
arrays |= {f"gradient.{name}": tensor.grad for name, tensor in tensors.items()}
save_file(
    {name: array.detach().clone().contiguous() for name, array in arrays.items()}, Path(__file__).parent / "expected.safetensors"
)
