"""Draw the golden pictures and write down what they decode to.

    python tests/golden/make_pictures.py

Pictures that are already there are kept: encoders change with their releases, and the golden picture is the
encoded one. hashes.json is always written anew; a changed line in it means that `decode` gives other pixels,
and so asks for a new DECODE_VERSION.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw

from pictor_contract import PictureInput, PictureRefused, decode_picture

HERE = Path(__file__).parent
ORIENTATION = 274
INPUTS = {
    "32x32x3 bilinear stretch": PictureInput(32, 32),
    "24x40x1 bicubic crop": PictureInput(24, 40, 1, "bicubic", "crop"),
    "48x32x3 lanczos pad": PictureInput(48, 32, 3, "lanczos", "pad", (12, 160, 200)),
}
# What turns an upright picture into the stored one that an orientation turns back.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def draw(width: int, height: int) -> Image.Image:
    """Draw gradients and shapes in which no two corners, sides or channels are alike."""
    rows, columns = np.mgrid[0:height, 0:width]
    levels = np.stack(
        [columns * 255 // width, rows * 255 // height, (columns + rows) * 255 // (width + height)]
    )
    image = Image.fromarray(np.moveaxis(levels, 0, -1).astype(np.uint8))
    brush = ImageDraw.Draw(image)
    brush.ellipse((width // 10, height // 10, width // 2, height // 2), fill=(230, 40, 30))
    brush.rectangle((width // 2, height // 2, width * 9 // 10, height * 7 // 10), fill=(20, 60, 220))
    brush.line((0, height - 1, width // 2, height // 2), fill=(255, 255, 255), width=max(height // 24, 1))
    return image


def encode(image: Image.Image, form: str, **options: Any) -> bytes:  # passed on to Pillow as it is
    """Encode with Pillow."""
    target = BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def encode_png(
    pixels: NDArray[np.uint8 | np.uint16], depth: int, colour: int, transparent: bytes = b""
) -> bytes:
    """Encode the variants that Pillow does not write; `pixels` is [height, width, channels]."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2" if depth == 16 else np.uint8).reshape(height, -1)
    if depth < 8:
        bits = np.unpackbits(rows[:, :, np.newaxis], axis=2)[:, :, 8 - depth :]
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    filtered = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(filtered, 9)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(body)) + name + body for name, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(one + struct.pack(">I", zlib.crc32(one[4:])) for one in packed)


def with_orientation(image: Image.Image, orientation: int, form: str) -> bytes:
    """Encode so that `orientation` makes the picture upright again."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = image.transpose(STORED_AS[orientation]) if orientation in STORED_AS else image
    return encode(stored, form, exif=exif)


def jpegs(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Draw the JPEG variants; the large one is decoded at a fraction of its size."""
    yield "colour.jpg", encode(picture, "JPEG", quality=85)
    yield "colour-large.jpg", encode(draw(400, 300), "JPEG", quality=80)
    yield "colour-444.jpg", encode(picture, "JPEG", subsampling=0)
    yield "progressive.jpg", encode(draw(200, 150), "JPEG", progressive=True)
    yield "grey.jpg", encode(picture.convert("L"), "JPEG")
    yield "cmyk.jpg", encode(picture.convert("CMYK"), "JPEG")
    yield "two-pictures.jpg", encode(picture, "MPO", save_all=True, append_images=[picture.rotate(180)])
    yield "tall.jpg", encode(draw(2, 3000), "JPEG")
    for orientation in range(1, 9):
        yield f"orientation-{orientation}.jpg", with_orientation(picture, orientation, "JPEG")


def pngs(picture: Image.Image, deep: NDArray[np.uint16]) -> Iterator[tuple[str, bytes]]:
    """Draw the PNG variants; `deep` is the picture with 16 bits."""
    alpha = picture.getchannel("R")
    palette = picture.quantize(32)
    small = np.asarray(picture.convert("L"))[:, :, np.newaxis] // 64
    yield "colour.png", encode(picture, "PNG")
    yield "grey.png", encode(picture.convert("L"), "PNG")
    yield "grey-1-bit.png", encode(picture.convert("1"), "PNG")
    yield "grey-2-bit-transparent.png", encode_png(small, 2, 0, transparent=struct.pack(">H", 1))
    yield "grey-16-bit.png", encode_png(deep[:, :, :1], 16, 0)
    yield (
        "grey-16-bit-transparent.png",
        encode_png(deep[:, :, :1], 16, 0, transparent=deep[9, 9, :1].astype(">u2").tobytes()),
    )
    yield "grey-alpha.png", encode(Image.merge("LA", (picture.convert("L"), alpha)), "PNG")
    yield "grey-alpha-16-bit.png", encode_png(deep[:, :, :2], 16, 4)
    yield "palette.png", encode(palette, "PNG")
    yield "palette-alpha.png", encode(palette, "PNG", transparency=bytes(range(0, 256, 8)))
    yield "colour-transparent.png", encode(picture, "PNG", transparency=(20, 60, 220))
    yield "colour-alpha.png", encode(Image.merge("RGBA", (*picture.split(), alpha)), "PNG")
    yield "colour-16-bit.png", encode_png(deep, 16, 2)
    yield "orientation-6.png", with_orientation(picture, 6, "PNG")
    yield "animated.png", encode(picture, "PNG", save_all=True, append_images=[picture.rotate(180)])
    yield "one-pixel.png", encode(picture.resize((1, 1)), "PNG")
    yield "wide.png", encode(draw(3000, 2), "PNG")


def others(picture: Image.Image, deep: NDArray[np.uint16]) -> Iterator[tuple[str, bytes]]:
    """Draw BMP, GIF, WEBP and TIFF."""
    turned = [picture.rotate(180)]
    alpha = Image.merge("RGBA", (*picture.split(), picture.getchannel("G")))
    yield "colour.bmp", encode(picture.resize((32, 24)), "BMP")
    yield "palette.bmp", encode(picture.quantize(32), "BMP")
    yield "palette.gif", encode(picture.quantize(32), "GIF")
    yield "transparent.gif", encode(picture.quantize(32), "GIF", transparency=3)
    yield (
        "animated.gif",
        encode(picture.quantize(32), "GIF", save_all=True, append_images=[turned[0].quantize(32)]),
    )
    yield "colour.webp", encode(picture, "WEBP", quality=80)
    yield "colour-alpha.webp", encode(alpha, "WEBP", lossless=True)
    yield "animated.webp", encode(picture, "WEBP", save_all=True, append_images=turned, lossless=True)
    yield "orientation-8.webp", with_orientation(picture, 8, "WEBP")
    yield "colour-deflate.tiff", encode(picture, "TIFF", compression="tiff_adobe_deflate")
    yield "colour-ycbcr.tiff", encode(picture, "TIFF", compression="jpeg")
    yield "cmyk.tiff", encode(picture.convert("CMYK"), "TIFF", compression="tiff_lzw")
    yield "grey-16-bit.tiff", encode(Image.fromarray(deep[:, :, 0]), "TIFF", compression="tiff_lzw")
    yield "float.tiff", encode(Image.fromarray(deep[:, :, 0].astype(np.float32) / 65535), "TIFF")
    yield "orientation-5.tiff", with_orientation(picture.resize((32, 24)), 5, "TIFF")
    yield "pages.tiff", encode(picture, "TIFF", save_all=True, append_images=turned, compression="tiff_lzw")


def refused(picture: Image.Image, deep: NDArray[np.uint16]) -> Iterator[tuple[str, bytes]]:
    """Draw what `decode` must refuse."""
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    lab = ImageCms.applyTransform(picture, transform)
    assert lab is not None
    yield "refused-lab.tiff", encode(lab, "TIFF", compression="tiff_lzw")
    yield "refused-float-range.tiff", encode(Image.fromarray(deep[:8, :8, 0].astype(np.float32)), "TIFF")
    yield "refused-truncated.jpg", encode(picture, "JPEG")[:-200]
    yield "refused-truncated.png", encode(picture, "PNG")[:-200]
    yield "refused-page.jpg", b"<!DOCTYPE html><title>Not found</title>\n"


def outcome(data: bytes, picture_input: PictureInput) -> str:
    """Return the sha256 of the decoded pixels, or the name of the refusal."""
    try:
        return sha256(decode_picture(data, picture_input).pixels.tobytes()).hexdigest()
    except PictureRefused as refusal:
        return type(refusal).__name__


def main() -> None:
    """Write missing pictures, then the outcomes of all."""
    picture = draw(64, 48)
    deep = np.asarray(picture).astype(np.uint16) * 257 - np.asarray(picture) // 2
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for name, data in [
        *jpegs(picture),
        *pngs(picture, deep),
        *others(picture, deep),
        *refused(picture, deep),
    ]:
        if not (folder / name).exists():
            (folder / name).write_bytes(data)
    pictures = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    record = {
        "inputs": {name: asdict(one) for name, one in INPUTS.items()},
        "outcomes": {
            name: {label: outcome(data, one) for label, one in INPUTS.items()}
            for name, data in pictures.items()
        },
    }
    (HERE / "hashes.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
