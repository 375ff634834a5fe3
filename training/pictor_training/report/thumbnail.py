"""Pictures inside the report's one file."""

import base64
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SIDE: Final = 128
"""Pixels; 24 thumbnails of this size are under a megabyte."""


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return [H, W, 1 or 3] as a PNG in a data URI, shrunk to MAX_SIDE where it is larger."""
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode("ascii")
