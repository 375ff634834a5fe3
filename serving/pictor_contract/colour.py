"""From whatever a file holds to 8-bit grey ("L") or colour ("RGB"). The policy is the table in `decode`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictor_contract.errors import UnsupportedPicture

_CONVERTED = {"1": "L", "P": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
_HIGHEST = 65_535


def to_eight_bits(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Return the picture as "L" or "RGB", opaque.

    Raises:
        UnsupportedPicture: its numbers have no honest 8-bit meaning.
    """
    image = _with_bytes(image)
    if image.has_transparency_data:
        return _over(image.convert("RGBA"), background)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode not in _CONVERTED:
        raise UnsupportedPicture(f"The picture is {image.mode}. Save it as grey or RGB with 8 or 16 bits.")
    return image.convert(_CONVERTED[image.mode])


def grey_level(colour: tuple[int, int, int]) -> int:
    """Luma of `colour`, exactly as a whole picture of it would get."""
    return Image.new("RGB", (1, 1), colour).convert("L").tobytes()[0]


def _with_bytes(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _from_sixteen_bits(image)
    if image.mode == "I":
        return _from_integers(image)
    if image.mode == "F":
        return _from_floats(image)
    if image.mode == "La":  # Pillow knows no direct way from here to RGBA
        return image.convert("LA")
    return image


def _over(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    """Keep the high byte, as libpng does; a transparent level is compared with all 16 bits first."""
    values = np.asarray(image)
    levels = _high_bytes(values)
    transparent = image.info.get("transparency")
    if transparent is None:
        return levels
    opaque = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (levels, opaque))


def _from_integers(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _HIGHEST:
        raise UnsupportedPicture(
            f"The picture has whole numbers from {low} to {high}; 0 to {_HIGHEST} can be read. "
            "Save it with 16 bits."
        )
    return _high_bytes(values)


def _from_floats(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # also where a NaN made both of them NaN
        raise UnsupportedPicture(
            f"The picture has decimal numbers from {low:g} to {high:g}; 0 to 1 can be read. "
            "Scale it, or save it with 8 bits."
        )
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _high_bytes(values: NDArray[Any]) -> Image.Image:
    return Image.fromarray((values >> 8).astype(np.uint8))
