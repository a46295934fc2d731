"""Writes small files of every kind into `kinds` and `turned` beside this one, and what Pillow makes of each: NAME.EXT and
NAME.EXT.rgb, the bytes of `Image.open(...).convert("RGB")`, as torchvision's default_loader; in `turned` after
`ImageOps.exif_transpose`. Asserts that Pillow refuses every file of `kinds` that ends early. Needs pillow (made with 13.0)."""
import io
import shutil
import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, ImageOps

here = Path(__file__).parent
photograph = Image.open(here / "../../src/augment/samples.png").convert("RGB").crop((128, 8, 168, 38))
ORIENTATION = 0x0112


def coded(picture, kind, **how):
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def jpeg(picture=photograph, **how):
    return coded(picture, "JPEG", **({"quality": 92, "subsampling": 0} | how))


def oriented(value):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def opened(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = Image.open(io.BytesIO(content))
        picture.load()
    return picture


def between_headers(content, stray):
    """Behind the first segment."""
    place = 4 + int.from_bytes(content[4:6], "big")
    return content[:place] + stray + content[place:]


def ycck(content):
    """The colours are others then: Adobe's segment says how they are to be understood."""
    place = content.index(b"Adobe") + 11
    assert content[place] == 0
    return content[:place] + b"\2" + content[place + 1:]


def kinds():
    alpha = photograph.copy()
    alpha.putalpha(photograph.convert("L"))
    palette, bits, grey = photograph.quantize(32), photograph.convert("1"), photograph.convert("L")
    other = photograph.transpose(Image.Transpose.ROTATE_180)
    animated = dict(save_all=True, append_images=[other], duration=100)
    transparent = palette.copy()
    transparent.info["transparency"] = 3
    triples = " ".join(str(value) for value in photograph.tobytes())
    return {
        "full.jpg": jpeg(),
        "halved.jpg": jpeg(subsampling=2),
        "progressive.jpg": jpeg(progressive=True),
        "grey.jpg": jpeg(grey),
        "grey_progressive.jpg": jpeg(grey, progressive=True),
        "cmyk.jpg": jpeg(photograph.convert("CMYK")),
        "ycck.jpg": ycck(jpeg(photograph.convert("CMYK"))),
        "red_green_blue.jpg": jpeg(keep_rgb=True),
        "turned.jpg": jpeg(exif=oriented(6)),
        "restarts.jpg": jpeg(restart_marker_blocks=3),
        "restarts_progressive.jpg": jpeg(restart_marker_blocks=3, progressive=True),
        "stray.jpg": between_headers(jpeg(), b"\1\2\3\4\5\6"),
        "filled.jpg": between_headers(jpeg(), b"\xff\xff\xff"),
        "stray_before_end.jpg": jpeg()[:-2] + b"\1\2\3\4" + jpeg()[-2:],
        "palette.png": coded(palette, "PNG"),
        "bits.png": coded(bits, "PNG"),
        "alpha.png": coded(alpha, "PNG"),
        "grey_alpha.png": coded(alpha.convert("LA"), "PNG"),
        "plain.bmp": coded(photograph, "BMP"),
        "palette.bmp": coded(palette, "BMP"),
        "bits.bmp": coded(bits, "BMP"),
        "plain.gif": coded(palette, "GIF"),
        "interlaced.gif": coded(palette, "GIF", interlace=1),
        "transparent.gif": coded(transparent, "GIF"),
        "plain.tif": coded(photograph, "TIFF"),
        "grey.tiff": coded(grey, "TIFF"),
        "cmyk.tif": coded(photograph.convert("CMYK"), "TIFF"),
        "lzw.tif": coded(photograph, "TIFF", compression="tiff_lzw"),
        "deflate.tif": coded(photograph, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": coded(photograph, "TIFF", compression="jpeg"),
        "lossy.webp": coded(photograph, "WEBP", quality=90),
        "lossless.webp": coded(photograph, "WEBP", lossless=True),
        "alpha.webp": coded(alpha, "WEBP", lossless=True, exact=True),
        "animated.webp": coded(photograph, "WEBP", **animated),
        "plain.ppm": coded(photograph, "PPM"),
        "ascii.ppm": f"P3\n# a remark\n40 30\n255\n{triples}".encode(),
        "grey.pgm": coded(grey, "PPM"),
        "bits.pbm": coded(bits, "PPM"),
    }


# What follows the end counts nowhere, so that these have no end whose loss would be seen.
def with_a_tail():
    animated = photograph.quantize(32)
    return {
        "tail.jpg": jpeg() + b"a film" * 9,
        "animated.gif": coded(animated, "GIF", save_all=True, append_images=[animated.rotate(180)], duration=100),
    }


def assert_cut_ones_are_refused(name, content):
    for tenth in range(10):
        try:
            opened(content[: len(content) * tenth // 10])
        except Exception:
            continue
        raise AssertionError(f"Pillow reads {name} where {tenth} tenths are left")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_exif_behind(png, exif):
    """As ImageMagick writes it."""
    return png[:-12] + chunk(b"eXIf", exif) + png[-12:]


def with_prefix(webp):
    """As some programs write it: EXIF data begin as in a JPEG file."""
    place = webp.index(b"EXIF")
    content = webp[place + 8 : place + 8 + int.from_bytes(webp[place + 4 : place + 8], "little")]
    content = b"Exif\0\0" + content
    content += b"\0" * (len(content) % 2)
    rest = webp[8:place] + b"EXIF" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(rest)) + rest


def turned():
    small = photograph.resize((12, 9))
    files = {}
    for value in range(1, 9):
        exif = oriented(value)
        files |= {
            f"{value}.jpg": jpeg(small, exif=exif),
            f"{value}.png": coded(small, "PNG", exif=exif),
            f"{value}.webp": coded(small, "WEBP", lossless=True, exif=exif),
            f"{value}.tif": coded(small, "TIFF", tiffinfo={ORIENTATION: value}),
        }
    exif = oriented(6).tobytes().removeprefix(b"Exif\0\0")
    files["6_behind.png"] = with_exif_behind(coded(small, "PNG"), exif)
    files["6_prefix.webp"] = with_prefix(coded(small, "WEBP", lossless=True, exif=oriented(6)))
    return files


def write(folder, files, look):
    shutil.rmtree(here / folder, ignore_errors=True)
    (here / folder).mkdir()
    for name, content in files.items():
        (here / folder / name).write_bytes(content)
        (here / folder / f"{name}.rgb").write_bytes(look(opened(content)).convert("RGB").tobytes())


for name, content in kinds().items():
    assert_cut_ones_are_refused(name, content)
write("kinds", kinds(), lambda picture: picture)
write("tails", with_a_tail(), lambda picture: picture)
write("turned", turned(), ImageOps.exif_transpose)
