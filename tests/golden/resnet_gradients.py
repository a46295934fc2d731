"""Makes the case `grad_resnet18`: python3 resnet_gradients.py, in this folder, with torchvision and safetensors.

A whole ResNet in train mode, whose batch norms use the batch's statistics, in float64. Weights like drawn ones: by the waves of
`arch_resnet18` PyTorch's own losses in float32 and float64 have nothing in common, and of ResNet-50 its gradients differ by 3 %.
"""
import json
import math

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file


def fill(model):
    for i, (name, p) in enumerate(model.state_dict().items()):
        if p.dim() == 0:
            continue
        v = torch.sin(torch.arange(p.numel(), dtype=torch.float64) * 12.9898 + i * 78.233) * 43758.5453
        v = ((v - v.floor()) * 2 - 1).reshape(p.shape)
        if p.dim() > 1:
            v = v * math.sqrt(6 / p[0].numel())
        elif name.endswith(('weight', 'running_var')):
            v = 1 + 0.1 * v
        else:
            v = 0.1 * v
        p.copy_(v.float().double())


def run(name, x, dtype):
    model = getattr(torchvision.models, name)(num_classes=10).double()
    with torch.no_grad():
        fill(model)
    model = model.to(dtype).train()
    x = x.to(dtype).detach().requires_grad_()
    logits = model(x)
    (logits * torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).to(dtype).reshape(logits.shape)).sum().backward()
    gradients = [p.grad.double() for p in model.parameters()]
    return {
        'out.logits': logits.detach(),
        'out.running_mean': model.state_dict()['layer4.1.bn1.running_mean'],
        'out.running_var': model.state_dict()['layer4.1.bn1.running_var'],
        'grad.x': x.grad,
        'grad.norms': torch.stack([g.norm() for g in gradients]),
        'grad.first': model.conv1.weight.grad,
        'grad.norm': model.layer3[0].bn1.weight.grad,
    }, [n for n, _ in model.named_parameters()], [[n, list(p.shape)] for n, p in model.state_dict().items()]


cases = json.load(open('cases.json'))
for name in ['resnet18']:
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(7)).double()
    out, parameters, keys = run(name, x, torch.float64)
    single, _, _ = run(name, x, torch.float32)
    off = {k: ((single[k].double() - v).abs().max() / v.abs().max()).item() for k, v in out.items()}
    print(name, 'PyTorch in float32 is off by', {k: f'{v:.1e}' for k, v in off.items()})
    arrays = {'in.x': x, **out}
    arrays = {k: np.ascontiguousarray(v.detach().numpy().astype(np.float32)) for k, v in arrays.items()}
    save_file(arrays, f'grad_{name}.safetensors')
    cases[f'grad_{name}'] = {
        'what': f'torchvision {name}(num_classes=10), train mode, float64; state_dict entry number i filled with v = 2 frac(sin(12.9898 j + 78.233 i) 43758.5453) - 1, j the flat index: tensors of 2 or more dims v*sqrt(6/fan_in), 1-d weight/running_var 1+0.1v, 1-d bias/running_mean 0.1v; loss = logits times linspace(-1, 1); grad.norms: of each of `parameters`',
        'params': {'keys': keys, 'parameters': parameters},
        'arrays': {k: ['float32', list(v.shape)] for k, v in arrays.items()},
    }
json.dump(cases, open('cases.json', 'w'), indent=1)
