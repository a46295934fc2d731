"""Torch's side of the kNN bench: BANK QUERIES FEATURES CLASSES NEIGHBOURS THREADS; a line on stdin asks for one round."""
import os
import sys
import time

import torch
from torch.nn import functional as F

bank_size, queries_size, features, classes, k, threads = map(int, sys.argv[1:7])
torch.set_num_threads(threads)
# Of 100, 250, 500, 1,000 and 2,000 queries at once this is the fastest, or as fast.
BLOCK = 1000
TEMPERATURE = 0.1

device = os.environ.get("PRETEXT_BENCH_DEVICE", "cpu")
generator = torch.Generator().manual_seed(0)
bank = F.normalize(torch.randn(bank_size, features, generator=generator)).to(device)
queries = F.normalize(torch.randn(queries_size, features, generator=generator)).to(device)
labels = torch.arange(bank_size, device=device) % classes


def predict(block):
    similarity, nearest = (block @ bank.T).topk(k, dim=1)
    scores = torch.zeros(len(block), classes, device=device).scatter_add_(1, labels[nearest], (similarity / TEMPERATURE).exp())
    return scores.argmax(1).tolist()


for _ in sys.stdin:
    started = time.perf_counter()
    with torch.no_grad():
        for start in range(0, queries_size, BLOCK):
            predict(queries[start:start + BLOCK])
    print(queries_size / (time.perf_counter() - started), flush=True)
