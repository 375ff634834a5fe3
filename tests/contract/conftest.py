"""Small pictures and encoders that several tests of the contract share."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw

Encode = Callable[..., bytes]


@pytest.fixture
def encode() -> Encode:
    """Encode a picture with Pillow and return the bytes."""

    def run(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:  # Pillow's own
        target = BytesIO()
        image.save(target, form, **options)
        return target.getvalue()

    return run


@pytest.fixture
def picture() -> Image.Image:
    """Return 48 x 32 pixels in RGB of which no two corners are alike."""
    image = Image.linear_gradient("L").resize((48, 32))
    image = Image.merge(
        "RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image.point(lambda v: v // 2))
    )
    ImageDraw.Draw(image).ellipse((4, 3, 20, 14), fill=(230, 40, 30))
    return image
