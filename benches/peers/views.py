"""torchvision's side of the views bench: CASE FOLDER; a line on stdin asks for one round, answered by views per second.

`tensor` and `pil`: single 32x32 images on one core. `jpeg`: files, two views of each, by a DataLoader on all cores. `imagenet`:
20,000 files of 500x375, of which a round reads as many as ROUND says, a crop of 224 and a flip of each. The images of all cases are
made in FOLDER: crops of the photographs that pretext-worker carries."""
import os
import random
import sys
import time
from pathlib import Path

import numpy
import torch
from PIL import Image
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

case, folder = sys.argv[1], Path(sys.argv[2])
torch.set_num_threads(1)
SMALL, LARGE, FILES, BATCH = 256, 128, 1024, 128
MEAN, SD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


def crops(count, size):
    """Crops of the photographs, scaled to `size`, the same in every run."""
    draw = random.Random(0)
    strip = Image.open(Path(__file__).parents[2] / "stages/src/augment/samples.png").convert("RGB")
    for number in range(count):
        side = draw.randint(32, 64)
        left, top = 64 * (number % (strip.width // 64)) + draw.randint(0, 64 - side), draw.randint(0, 64 - side)
        yield strip.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)


def make_images():
    (folder / "jpeg").mkdir(parents=True, exist_ok=True)
    small = [numpy.asarray(crop) for crop in crops(SMALL, 32)]
    numpy.stack(small).tofile(folder / "small.rgb")
    for number, crop in enumerate(crops(FILES, LARGE)):
        crop.save(folder / "jpeg" / f"{number:04}.jpg", quality=90)


def views(size, blur, first, last):
    """SimCLR's, with pretext's defaults. `first` and `last` lead to what the operations and the network take."""
    jitter = v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)
    blurs = [v2.RandomApply([v2.GaussianBlur(size // 10 | 1, (0.1, 2.0))], p=blur)] if blur else []
    crop = v2.RandomResizedCrop(size, scale=(0.08, 1.0), antialias=True)
    return v2.Compose([*first, crop, v2.RandomHorizontalFlip(), jitter, v2.RandomGrayscale(0.2), *blurs, *last])


MANY, ROUND, WIDTH, HEIGHT = 20_000, 1024, 500, 375


def make_many():
    """Not again where they are."""
    place = folder / "imagenet"
    place.mkdir(parents=True, exist_ok=True)
    if len(list(place.iterdir())) == MANY:
        return
    draw = numpy.random.default_rng(0)
    for number, crop in enumerate(crops(MANY, 96)):
        picture = numpy.asarray(crop.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(numpy.int16)
        grain = draw.integers(-12, 13, (HEIGHT, WIDTH, 1), numpy.int16)
        Image.fromarray((picture + grain).clip(0, 255).astype(numpy.uint8)).save(place / f"{number:05}.jpg", quality=85)


TO_FLOAT = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, SD)]


class Pairs(torch.utils.data.Dataset):
    def __init__(self):
        self.files = sorted((folder / "jpeg").iterdir())
        # As fast as tensors here.
        self.transform = views(96, 0.5, [], [v2.ToImage(), *TO_FLOAT])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image = default_loader(self.files[index])
        return self.transform(image), self.transform(image)


class Crops(torch.utils.data.Dataset):
    def __init__(self):
        self.files = sorted((folder / "imagenet").iterdir())[:ROUND]
        crop = v2.RandomResizedCrop(224, scale=(0.08, 1.0), antialias=True)
        self.transform = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToImage(), *TO_FLOAT])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.transform(default_loader(self.files[index]))


def cropped():
    workers = os.cpu_count()
    loader = torch.utils.data.DataLoader(Crops(), 64, shuffle=True, num_workers=workers, persistent_workers=True)
    return lambda: sum(len(batch) for batch in loader)


def single(transform, images):
    def round_():
        for image in images:
            transform(image)
        return len(images)

    return round_


def loaded():
    workers = os.cpu_count()
    loader = torch.utils.data.DataLoader(Pairs(), BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    return lambda: sum(len(a) + len(b) for a, b in loader)


make_images()
small = numpy.fromfile(folder / "small.rgb", numpy.uint8).reshape(SMALL, 32, 32, 3)
if case == "tensor":
    measure = single(views(32, 0, [], TO_FLOAT), [torch.from_numpy(i).permute(2, 0, 1).contiguous() for i in small])
elif case == "pil":
    measure = single(views(32, 0, [], [v2.ToImage(), *TO_FLOAT]), [Image.fromarray(image) for image in small])
elif case == "imagenet":
    make_many()
    measure = cropped()
else:
    measure = loaded()

for _ in sys.stdin:
    started = time.perf_counter()
    count = measure()
    print(count / (time.perf_counter() - started), flush=True)
