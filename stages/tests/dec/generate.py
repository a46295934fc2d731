"""Writes expected.safetensors beside this file: the loss of deep embedded clustering and its gradients, made by PyTorch.

`codes` is [7, 3], `centres` [4, 3]; `q` and `p` [7, 4] are eq. 1 and eq. 3 of arXiv:1511.06335 in float64; `loss` [1] is the KL divergence of
the batch that the first five codes are, and `codes_gradient` [5, 3] and `centres_gradient` its gradients. Needs torch and safetensors."""

from pathlib import Path

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
codes = torch.randn(7, 3, dtype=torch.float64).float().double().requires_grad_()
centres = (1.5 * torch.randn(4, 3, dtype=torch.float64)).float().double().requires_grad_()


def assigned(codes):
    """Eq. 1 with one degree of freedom."""
    near = 1 / (1 + torch.cdist(codes, centres, compute_mode="donot_use_mm_for_euclid_dist") ** 2)
    return near / near.sum(1, keepdim=True)


q = assigned(codes).detach()
p = q**2 / q.sum(0)
p = p / p.sum(1, keepdim=True)
loss = torch.nn.functional.kl_div(assigned(codes[:5]).log(), p[:5], reduction="batchmean")
loss.backward()
arrays = {"codes": codes, "centres": centres, "q": q, "p": p, "loss": loss[None]}
arrays |= {"codes_gradient": codes.grad[:5], "centres_gradient": centres.grad}
save_file(
    {name: array.detach().float().contiguous().clone() for name, array in arrays.items()}, Path(__file__).parent / "expected.safetensors"
)
