"""PyTorch's side of `pretext-bench-gpu speed`: a line of JSON on stdin asks for a training, and `go` for a round of it.

{"network", "size", "batch", "precision", "compiled", "start", "warm_up", "steps"}: from the weights, images and labels in the file
START (float32, in the order in which ours has them) trains WARM_UP steps, and answers with a line of JSON: the settings, the loss
that the last step began with, and the floating-point operations of a step for each image. `go`: trains STEPS further steps and
answers with the images a second."""
import json
import os
import sys
import time

import torch
from networks import make
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

device = os.environ.get("PRETEXT_BENCH_DEVICE", "cpu")
kind = device.split(":")[0]
if kind == "cpu":
    torch.set_num_threads(1)


def trained(model):
    """The parameters in our order, which has the class token behind the patches; positions are fixed."""
    named = dict(model.named_parameters())
    named.pop("encoder.pos_embedding", None)
    token = named.pop("class_token", None)
    parameters = list(named.values())
    return parameters if token is None else [*parameters[:2], token, *parameters[2:]]


def positions(rows, width):
    """Vaswani et al. 2017, section 3.5, of row and column, half of the width each: all sines, then all cosines. The class token
    has none."""
    waves = width // 4
    angles = torch.arange(rows)[:, None] * 10_000 ** (-torch.arange(waves) / waves)
    code = torch.cat([angles.sin(), angles.cos()], 1)
    places = [torch.cat([code[row], code[column]]) for row in range(rows) for column in range(rows)]
    return torch.stack([torch.zeros(width), *places])[None]


class Training:
    def __init__(self, ask):
        tf32, self.bfloat16 = ask["precision"] == "tf32", ask["precision"] == "bfloat16"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        size, batch = ask["size"], ask["batch"]
        model = make(ask["network"], size)
        with torch.no_grad(), open(ask["start"], "rb") as file:
            values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
            images, labels = torch.empty(batch, 3, size, size), torch.empty(batch)
            if ask["network"] == "vit_tiny":
                model.encoder.pos_embedding.copy_(positions(size // 4, 192)).requires_grad_(False)
            tensors = [*trained(model), images, labels]
            assert values.numel() == sum(tensor.numel() for tensor in tensors), "START has other tensors"
            for tensor, part in zip(tensors, values.split([tensor.numel() for tensor in tensors])):
                tensor.copy_(part.view(tensor.shape))
        self.network = model.to(device, memory_format=torch.channels_last)
        self.images, self.labels = images.to(device, memory_format=torch.channels_last), labels.long().to(device)
        self.flops = self.count()
        self.model = torch.compile(self.network) if ask["compiled"] else self.network
        fused = kind == "cuda"
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=2e-7, momentum=0.9, weight_decay=5e-4, fused=fused)
        for _ in range(ask["warm_up"]):
            self.loss = self.step()
        self.steps = ask["steps"]
        self.settings = {
            "torch": torch.__version__,
            "compiled": ask["compiled"],
            "dtype": "bfloat16 by autocast, weights float32" if self.bfloat16 else "float32",
            "tf32": [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32],
            "memory_format": "channels_last",
            "cudnn_deterministic": torch.backends.cudnn.deterministic,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "optimiser": "SGD, fused" if fused else "SGD",
            "warm_up": f"{ask['warm_up']} steps",
        }

    def count(self):
        """Of two images, so that it costs little; without a change of weights."""
        with FlopCounterMode(display=False) as counter:
            F.cross_entropy(self.network(self.images[:2]), self.labels[:2]).backward()
        self.network.zero_grad(set_to_none=True)
        return counter.get_total_flops() / 2

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(kind, torch.bfloat16, enabled=self.bfloat16):
            loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimiser.step()
        return loss

    def round(self):
        started = time.perf_counter()
        for _ in range(self.steps):
            loss = self.step()
        loss.item()  # waits for a GPU
        return len(self.images) * self.steps / (time.perf_counter() - started)


training = None
for line in sys.stdin:
    if line == "go\n":
        print(training.round(), flush=True)
        continue
    training = None  # its memory first
    training = Training(json.loads(line))
    answer = {"settings": training.settings, "loss": training.loss.item(), "flops": training.flops}
    print(json.dumps(answer), flush=True)
