"""PyTorch's side of the engine bench: NETWORK BATCH SIZE STEPS THREADS [tuned | flops]; a line on stdin asks for one round.

`tuned`: with the allocator settings of pretext (stages/src/nn/ops/raw.rs). `flops`: the answer is not a speed but the
floating-point operations of a training step for each image."""
import ctypes
import os
import sys
import time

network, batch, size, steps, threads = sys.argv[1], *map(int, sys.argv[2:6])


def tune_allocator():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for option, value in [(-4, 0), (-1, 2**31 - 1), (-2, 256 << 20)]:  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
        libc.mallopt(option, value)
    reserve, huge = 2 << 30, 2 << 20
    block = libc.malloc(ctypes.c_size_t(reserve))
    start, end = -(-block // huge) * huge, (block + reserve) // huge * huge
    libc.madvise(start, end - start, 14)  # MADV_HUGEPAGE
    libc.free(block)


if sys.argv[6:] == ["tuned"]:
    tune_allocator()

import torch  # noqa: E402, after the allocator is tuned
from torch.nn import functional as F  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from networks import make  # noqa: E402

torch.set_num_threads(threads)
device = os.environ.get("PRETEXT_BENCH_DEVICE", "cpu")
model = make(network, size).to(device, memory_format=torch.channels_last)
images = torch.randn(batch, 3, size, size).to(device, memory_format=torch.channels_last)
labels = torch.randint(0, 10, (batch,)).to(device)
optimiser = torch.optim.SGD(model.parameters(), lr=2e-7, momentum=0.9, weight_decay=5e-4)


def step():
    optimiser.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimiser.step()
    return loss


for _ in sys.stdin:
    if sys.argv[6:] == ["flops"]:
        with FlopCounterMode(display=False) as counter:
            step()
        print(counter.get_total_flops() / batch, flush=True)
        continue
    started = time.perf_counter()
    for _ in range(steps):
        loss = step()
    loss.item()  # waits for a GPU
    print(batch * steps / (time.perf_counter() - started), flush=True)
