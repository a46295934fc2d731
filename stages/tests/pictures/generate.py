"""Writes small files of every kind beside this one, and what Pillow makes of each: NAME.EXT and NAME.EXT.rgb, the bytes
of `Image.open(...).convert("RGB")`, as torchvision's default_loader. Needs pillow."""
from pathlib import Path

from PIL import Image

here = Path(__file__).parent
photograph = Image.open(here / "../../src/augment/samples.png").convert("RGB").crop((128, 8, 168, 38))
exif = Image.Exif()
exif[0x0112] = 6  # to be turned by a quarter
alpha = photograph.copy()
alpha.putalpha(photograph.convert("L"))
pictures = {
    "full.jpg": (photograph, dict(subsampling=0)),
    "halved.jpg": (photograph, dict(subsampling=2)),
    "progressive.jpg": (photograph, dict(progressive=True, subsampling=0)),
    "grey.jpg": (photograph.convert("L"), {}),
    "cmyk.jpg": (photograph.convert("CMYK"), {}),
    "turned.jpg": (photograph, dict(exif=exif, subsampling=0)),
    "palette.png": (photograph.quantize(32), {}),
    "bits.png": (photograph.convert("1"), {}),
    "alpha.png": (alpha, {}),
    "grey_alpha.png": (alpha.convert("LA"), {}),
}
for name, (picture, how) in pictures.items():
    picture.save(here / name, **({"quality": 92} if name.endswith("jpg") else {}), **how)
    (here / f"{name}.rgb").write_bytes(Image.open(here / name).convert("RGB").tobytes())
