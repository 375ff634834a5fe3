"""The only code that opens a picture: training and serving both decode here, so both see the same pixels.

================================  ============================================================================
in the file                       what becomes of it
================================  ============================================================================
format                            JPEG (an MPO's first picture), PNG, WEBP, BMP, GIF, TIFF, told by content
grey, 1-bit                       the level, repeated for 3 channels
colour, palette, YCbCr            RGB; for 1 channel ITU-R 601-2 luma
CMYK, YCCK                        RGB by Pillow's plain formula; Adobe's inverted JPEG is turned first
alpha, transparent colour         composited over the contract's background
16-bit                            the high byte, as libpng does; 32-bit integers only from 0 to 65535
float                             finite values of 0 to 1, times 255, rounded
ICC profile, gamma, XMP           ignored
EXIF orientation                  applied before the resize, all eight; unreadable EXIF means as stored
animation, pages                  the first
truncated or corrupt              refused with BrokenPicture, never half decoded
LAB, 12-bit, BigTIFF, compressed  refused with UnsupportedPicture
BMP, other ranges of numbers
above a limit                     refused with PictureTooLarge before a pixel is read
================================  ============================================================================

A JPEG is decoded at 1/2, 1/4 or 1/8 where that is still no smaller than the resize needs.

A known gap: data that stop early but are closed in good order (a JPEG with its end mark, a PNG whose stream
ends by itself) are filled up by libjpeg with grey and by Pillow with black, and nobody says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from struct import error as StructError  # noqa: N812  # its own name says nothing
from zlib import error as ZlibError  # noqa: N812  # likewise

import numpy as np
from numpy.typing import NDArray

# The modules are imported so that Image.open finds these formats without loading its 40 others.
from PIL import (
    BmpImagePlugin,  # noqa: F401  # registers its format
    GifImagePlugin,  # noqa: F401  # registers its format
    Image,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401  # registers its format
    TiffImagePlugin,  # noqa: F401  # registers its format
    WebPImagePlugin,  # noqa: F401  # registers its format
)

from pictor_contract.colour import grey_level, to_eight_bits
from pictor_contract.contract import ImageContract, PictureInput
from pictor_contract.errors import BrokenPicture, PictureRefused, PictureTooLarge
from pictor_contract.formats.header import Header
from pictor_contract.header import read_header
from pictor_contract.limits import DecodeLimits
from pictor_contract.resize import Box, pad, resize, scaled_size

__all__ = ["DecodeLimits", "DecodedPicture", "decode", "decode_picture"]

DEFAULT_LIMITS = DecodeLimits()

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LEFT_FIRST_TURNS_RIGHT = (2, 3, 6, 7)
_TOP_TURNS_BOTTOM = (3, 4, 7, 8)
_SIDES_SWAPPED = (5, 6, 7, 8)

# All that Pillow and the header readers were seen, or are written, to raise on hostile bytes.
_BROKEN = (
    OSError,  # Pillow's usual word, UnidentifiedImageError included
    SyntaxError,  # its plug-ins' word for "not mine"
    EOFError,  # no first frame
    ValueError,  # decoder arguments, palettes, sizes
    TypeError,  # a tag of the wrong type
    LookupError,  # a table without that key; bytes without that index
    AttributeError,  # a decoder that was never set up
    ArithmeticError,  # sizes that overflow or divide by zero
    AssertionError,  # what its plug-ins take for granted
    RuntimeError,  # also NotImplementedError and RecursionError
    MemoryError,  # its word for sizes that C cannot hold
    StructError,
    ZlibError,
    Warning,  # under -W error
)


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """One picture, ready for the model.

    `pixels` is uint8 [height, width, channels], contiguous, perhaps read-only. `width` and `height` are the
    sender's picture's, upright; `frames` tells how many it has (the first is here).
    """

    pixels: NDArray[np.uint8]
    format: str
    width: int
    height: int
    frames: int


def decode(data: bytes, contract: ImageContract, limits: DecodeLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """Turn an encoded picture into the pixels that `contract` asks for: uint8 [height, width, channels].

    Raises:
        PictureRefused: the one reason is the class; the message may be shown to the picture's sender.
    """
    return decode_picture(data, contract.input, limits).pixels


def decode_picture(
    data: bytes, picture_input: PictureInput, limits: DecodeLimits = DEFAULT_LIMITS
) -> DecodedPicture:
    """Do the same as `decode`, and tell what the picture was. Safe to call from many threads."""
    with _refusing("picture"):
        header = read_header(data, limits)
    size = header.width, header.height
    if header.orientation in _SIDES_SWAPPED:
        size = header.height, header.width
    with _refusing(header.format):
        pixels = _decode_pixels(header, scaled_size(size, picture_input), picture_input)
    return DecodedPicture(pixels, header.format, *size, header.frames)


def _decode_pixels(header: Header, scaled: tuple[int, int], picture_input: PictureInput) -> NDArray[np.uint8]:
    with Image.open(BytesIO(header.pixel_bytes), formats=[header.format]) as opened:
        image, box = _load_upright(opened, header, scaled)
    image = to_eight_bits(image, picture_input.background)
    mode = "L" if picture_input.channels == 1 else "RGB"
    if mode == "L" and image.mode != mode:
        image = image.convert(mode)
    image = resize(image, scaled, box, picture_input)
    if image.mode != mode:  # grey is repeated last: a third of the resize's work
        image = image.convert(mode)
    background = grey_level(picture_input.background) if mode == "L" else picture_input.background
    pixels = np.asarray(pad(image, picture_input, background), dtype=np.uint8)
    return pixels.reshape(picture_input.shape)


def _load_upright(image: Image.Image, header: Header, scaled: tuple[int, int]) -> tuple[Image.Image, Box]:
    """Decode and turn the picture; the box holds its content, where scaled decoding rounded the sides up."""
    if image.size != (header.width, header.height):  # the limits were checked for another size than Pillow's
        raise BrokenPicture(f"The {header.format} contradicts itself about its size. Send the original file.")
    right, bottom = float(image.width), float(image.height)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        drafted = image.draft(None, scaled[::-1] if header.orientation in _SIDES_SWAPPED else scaled)
        if drafted is not None:
            right, bottom = drafted[1][2:]
    image.load()
    if header.orientation == 1:
        return image, (0, 0, right, bottom)
    spare = image.width - right, image.height - bottom
    upright = image.transpose(_UPRIGHT[header.orientation])
    x_spare, y_spare = spare[::-1] if header.orientation in _SIDES_SWAPPED else spare
    left = x_spare if header.orientation in _LEFT_FIRST_TURNS_RIGHT else 0
    top = y_spare if header.orientation in _TOP_TURNS_BOTTOM else 0
    return upright, (left, top, left + upright.width - x_spare, top + upright.height - y_spare)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Translate what others raise; a refusal of our own passes as it is."""
    try:
        yield
    except PictureRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(f"The {what} has too many pixels. Send a smaller one.") from error
    except _BROKEN as error:
        raise BrokenPicture(
            f"The {what} is truncated, corrupt, or of a kind that cannot be read. "
            "Send the whole, original file, or save it again."
        ) from error
