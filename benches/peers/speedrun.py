"""lightly's side of the speedrun: FOLDER BATCH THREADS; a line on stdin asks for a whole training of SimCLR, 10 epochs with
the seeds 0, 1, 2 in turn, with its own defaults but for the blur, which 32 pixels go without. Answers its seconds, after
FOLDER/theirs/{train,validation}.features are written, floats [image, 64]."""
import os
import sys
import time

import numpy
import torch
from methods import Photographs, SimCLR, split_of
from torch.utils.data import DataLoader

folder, batch, threads = sys.argv[1], *map(int, sys.argv[2:4])
EPOCHS = 10
torch.set_num_threads(threads)
MEAN, SD = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))  # as lightly's views


def train(seed):
    torch.manual_seed(seed)
    model = SimCLR()
    loader = DataLoader(
        Photographs(folder), batch, shuffle=True, drop_last=True, num_workers=threads, persistent_workers=True
    )
    optimiser = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * len(loader))
    started = time.perf_counter()
    for _ in range(EPOCHS):
        for a, b in loader:
            optimiser.zero_grad()
            model(a, b).backward()
            optimiser.step()
            schedule.step()
    return model, time.perf_counter() - started


@torch.no_grad()
def write_features(model, split, number):
    images = split_of(folder, number)
    model.eval()
    batches = (torch.from_numpy(images[i : i + 500]).permute(0, 3, 1, 2) / 255 for i in range(0, len(images), 500))
    features = torch.cat([model.encoder((batch - MEAN) / SD) for batch in batches])
    features.numpy().tofile(f"{folder}/theirs/{split}.features")


os.makedirs(f"{folder}/theirs", exist_ok=True)
for seed, _ in enumerate(sys.stdin):
    model, seconds = train(seed)
    write_features(model, "train", 0)
    write_features(model, "validation", 1)
    print(seconds, flush=True)
