"""Writes expected.json beside this file: where torchvision 0.24's transforms v2 take a mask and boxes.

A mask is its rows, a digit a pixel and `.` where nothing is known of it. Boxes are left, top, right, bottom in pixels, and `of` says which
of the source's is left at which place. Needs torch, torchvision and numpy.

Boxes are sanitised after every step and not only in the end: torchvision keeps one that has left the picture as one without area, which a
later turn would make wider again. The mask of a crop is scaled by NEAREST_EXACT: `Mask` itself is scaled by NEAREST, which reads half a
pixel of the result further up and left. Where a crop is enlarged by a whole number the two are the same, which is looked at here."""
import json
import math
from pathlib import Path

import numpy
import torch
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

# Not square.
HEIGHT, WIDTH = 18, 20
UNKNOWN = 255
PADDING = 6
BOXES = [[0, 0, 20, 18], [2, 3, 9.5, 8.25], [11.75, 1, 19, 17.5], [4.5, 12, 6.25, 17], [16, 14, 20, 18], [7, 7, 8.5, 8.5]]

crop = lambda top, left, height, width, to: ["crop", [top, left, height, width, *to]]
shift = lambda down, right: ["shift", [down, right]]
pad_crop = lambda down, right: ["pad_crop", [down, right]]
rotate = lambda degrees: ["rotate", [degrees]]
shear = lambda right, down: ["shear", [right, down]]
FLIP = ["flip", []]
CASES = [
    [crop(2, 3, 9, 11, (9, 11))],
    [crop(2, 3, 9, 11, (27, 22))],
    [crop(2, 3, 9, 11, (24, 25))],
    [crop(5, 1, 12, 17, (8, 8))],
    [crop(0, 0, 17, 19, (7, 9))],
    [pad_crop(-6, 3)],
    [pad_crop(4, -5)],
    [FLIP],
    *([rotate(degrees)] for degrees in (7.3, -31.0, 90.0, 131.7)),
    *([shear(*by)] for by in ((0.3, 0.0), (-0.71, 0.0), (0.0, 0.23), (0.0, -0.94))),
    [shift(0, 7)],
    [shift(-5, 0)],
    [FLIP, crop(1, 4, 14, 13, (18, 20)), pad_crop(2, -3)],
    [shift(0, -12), rotate(-31.0)],
]


def resized_crop(mask, boxes, top, left, height, width, *size):
    part = F.crop(mask, top, left, height, width)
    exact = F.resize(part.as_subclass(torch.Tensor), size, interpolation=InterpolationMode.NEAREST_EXACT)
    if size[0] % height == size[1] % width == 0:
        assert torch.equal(exact, F.resize(part, size).as_subclass(torch.Tensor))
    return tv_tensors.Mask(exact), F.resized_crop(boxes, top, left, height, width, size)


def affine(tensor, translate, shear, **fill):
    shear = [math.degrees(math.atan(part)) for part in shear]
    return F.affine(tensor, angle=0.0, translate=translate, scale=1.0, shear=shear, center=[0, 0], **fill)


def moved(mask, boxes, operation, by):
    both = lambda change: (change(mask, fill=UNKNOWN), change(boxes))
    match operation:
        case "crop":
            return resized_crop(mask, boxes, *by)
        case "pad_crop":
            pad = lambda tensor, **fill: F.pad(tensor, [PADDING] * 4, **fill)
            return both(lambda *of, **fill: F.crop(pad(*of, **fill), PADDING - by[0], PADDING - by[1], HEIGHT, WIDTH))
        case "flip":
            return F.horizontal_flip(mask), F.horizontal_flip(boxes)
        case "rotate":
            return both(lambda tensor, **fill: F.rotate(tensor, by[0], **fill))
        case "shear":
            return both(lambda tensor, **fill: affine(tensor, [0, 0], by, **fill))
        case "shift":
            return both(lambda tensor, **fill: affine(tensor, by[::-1], [0, 0], **fill))


def rows(mask):
    return ["".join("." if value == UNKNOWN else str(value) for value in row) for row in mask.reshape(mask.shape[-2:]).tolist()]


source = torch.from_numpy(numpy.random.default_rng(0).integers(0, 10, (HEIGHT, WIDTH), dtype=numpy.uint8))
cases = []
for steps in CASES:
    mask = tv_tensors.Mask(source[None])
    boxes = tv_tensors.BoundingBoxes(torch.tensor(BOXES), format="XYXY", canvas_size=(HEIGHT, WIDTH))
    sample = {"mask": mask, "boxes": boxes, "labels": torch.arange(len(BOXES))}
    for step in steps:
        mask, boxes = moved(sample["mask"], sample["boxes"], *step)
        sample = v2.SanitizeBoundingBoxes(min_size=1)({"boxes": boxes, "labels": sample["labels"]}) | {"mask": mask}
    boxes, of = sample["boxes"].tolist(), sample["labels"].tolist()
    cases.append({"steps": steps, "mask": rows(sample["mask"]), "boxes": boxes, "of": of})
lines = ",\n".join(json.dumps(case) for case in cases)
text = f'{{"mask": {json.dumps(rows(source))},\n"boxes": {json.dumps(BOXES)},\n"cases": [\n{lines}\n]}}\n'
(Path(__file__).parent / "expected.json").write_text(text)
