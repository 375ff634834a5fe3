"""A picture whose answer is known: whoever serves the model decodes it, asks, and compares."""

import base64
import math
from hashlib import sha256
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageDraw

from pictor_contract import GoldenExample, PictureInput

_ENLARGED = 3.0  # larger than the input, so that scaled JPEG decoding and the resize filter take part
_MAX_PIXELS = 600_000  # keeps the contract small: the picture travels inside it as base64
_ASPECT = 7 / 6  # wider than the input by this much, so that "crop" and "pad" have something to do
_QUALITY = 60
_NOISE_GRID = 12  # cells a side: noise this coarse survives JPEG and the resize
_NOISE_LEVELS = 40
_NOISE_SEED = 1


def make_golden(picture_input: PictureInput) -> bytes:
    """Draw a JPEG with an EXIF orientation: gradients, shapes and noise, nobody's data.

    The same input gives the same drawing; the encoded bytes may differ between releases of Pillow.
    """
    width, height = _upright_size(picture_input)
    upright = _draw(width, height)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the stored picture must be turned clockwise by 90 degrees
    encoded = BytesIO()
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    stored.save(encoded, "JPEG", quality=_QUALITY, exif=exif)
    return encoded.getvalue()


def golden_example(picture: bytes, pixels: NDArray[np.uint8], scores: NDArray[np.float64]) -> GoldenExample:
    """Record `picture` with the `pixels` it decodes to and the `scores` the model gives it."""
    return GoldenExample(
        picture_base64=base64.b64encode(picture).decode("ascii"),
        pixels_sha256=sha256(pixels.tobytes()).hexdigest(),
        scores=tuple(float(score) for score in scores),
    )


def _upright_size(picture_input: PictureInput) -> tuple[int, int]:
    area = picture_input.width * _ASPECT * picture_input.height
    scale = max(1.0, min(_ENLARGED, math.sqrt(_MAX_PIXELS / area)))
    return round(picture_input.width * _ASPECT * scale), round(picture_input.height * scale)


def _draw(width: int, height: int) -> Image.Image:
    across = np.broadcast_to(np.linspace(0, 255, width), (height, width))
    down = np.broadcast_to(np.linspace(255, 0, height)[:, None], (height, width))
    levels = np.stack([across, down, (across + down) / 2], axis=-1) + _noise(width, height)
    picture = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    brush = ImageDraw.Draw(picture)
    brush.ellipse((0.10 * width, 0.15 * height, 0.45 * width, 0.60 * height), fill=(220, 40, 30))
    brush.rectangle((0.55 * width, 0.50 * height, 0.90 * width, 0.85 * height), fill=(20, 60, 200))
    brush.polygon(
        [(0.50 * width, 0.05 * height), (0.85 * width, 0.40 * height), (0.60 * width, 0.45 * height)],
        fill=(250, 230, 60),
    )
    return picture


def _noise(width: int, height: int) -> NDArray[np.float64]:
    cells = np.random.default_rng(_NOISE_SEED).uniform(
        -_NOISE_LEVELS, _NOISE_LEVELS, (_NOISE_GRID, _NOISE_GRID, 3)
    )
    rows = np.arange(height) * _NOISE_GRID // height
    columns = np.arange(width) * _NOISE_GRID // width
    return np.asarray(cells[rows][:, columns], np.float64)
