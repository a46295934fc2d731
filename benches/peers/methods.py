"""lightly's side of the methods bench: METHOD FOLDER BATCH THREADS; a line on stdin asks for one epoch, of which the images a
second are printed. FOLDER has image.npy, bytes [image, row, column, channel] of 32x32 pixels. `tree` of memory.rs of the bench
looks at this process and its loader's."""
import copy
import sys
import time

import numpy
import torch
from lightly import loss, transforms
from lightly.models.modules import heads
from lightly.models.utils import deactivate_requires_grad, update_momentum
from networks import resnet
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset



def split_of(folder, number):
    """Images of a split: 0 train, 1 validation, 2 test."""
    images, splits = numpy.load(f"{folder}/image.npy", mmap_mode="r"), numpy.load(f"{folder}/split.npy")
    return numpy.ascontiguousarray(images[splits == number])


class Photographs(Dataset):
    def __init__(self, folder, **views):
        self.images = split_of(folder, 0)
        self.views = transforms.SimCLRTransform(input_size=32, gaussian_blur=0.0, **views)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.views(Image.fromarray(self.images[index]))


class SimCLR(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.projector = resnet(16, [3, 3, 3], 0), heads.SimCLRProjectionHead(64, 512, 128)
        self.loss = loss.NTXentLoss(temperature=0.5)

    def forward(self, a, b):
        return self.loss(self.projector(self.encoder(a)), self.projector(self.encoder(b)))


class MoCo(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.projector = resnet(16, [3, 3, 3], 0), heads.MoCoProjectionHead(64, 512, 128)
        self.slow = [copy.deepcopy(self.encoder), copy.deepcopy(self.projector)]
        for network in self.slow:
            deactivate_requires_grad(network)
        self.loss = loss.NTXentLoss(temperature=0.2, memory_bank_size=(4096, 128))

    def forward(self, a, b):
        update_momentum(self.encoder, self.slow[0], 0.99)
        update_momentum(self.projector, self.slow[1], 0.99)
        with torch.no_grad():
            keys = self.slow[1](self.slow[0](b))
        return self.loss(self.projector(self.encoder(a)), keys)


class BYOL(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.projector = resnet(16, [3, 3, 3], 0), heads.BYOLProjectionHead(64, 1024, 256)
        self.predictor = heads.BYOLPredictionHead(256, 1024, 256)
        self.slow = [copy.deepcopy(self.encoder), copy.deepcopy(self.projector)]
        for network in self.slow:
            deactivate_requires_grad(network)
        self.loss = loss.NegativeCosineSimilarity()

    def forward(self, a, b):
        update_momentum(self.encoder, self.slow[0], 0.99)
        update_momentum(self.projector, self.slow[1], 0.99)
        predict = lambda x: self.predictor(self.projector(self.encoder(x)))  # noqa: E731
        with torch.no_grad():
            target_a, target_b = self.slow[1](self.slow[0](a)), self.slow[1](self.slow[0](b))
        return self.loss(predict(a), target_b) + self.loss(predict(b), target_a)


def main():
    method, folder, batch, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5])
    torch.set_num_threads(threads)
    model = {"simclr": SimCLR, "moco": MoCo, "byol": BYOL}[method]()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    photographs = Photographs(folder, cj_strength=0.5)
    loader = DataLoader(
        photographs, batch, shuffle=True, drop_last=True, num_workers=threads, persistent_workers=True
    )
    for _ in sys.stdin:
        started, images = time.perf_counter(), 0
        for a, b in loader:
            optimiser.zero_grad()
            model(a, b).backward()
            optimiser.step()
            images += len(a)
        print(images / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
