"""EXIF orientation: found in every container, applied once and before the resize."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pictor_contract import PictureInput, decode_picture
from pictor_contract.formats.directory import read_orientation

STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
INPUTS = [
    PictureInput(32, 48),
    PictureInput(20, 12, fit="crop"),
    PictureInput(20, 20, fit="pad", resize_filter="lanczos"),
]
Encode = Callable[..., bytes]


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def _block(kind: int, count: int, value: bytes) -> bytes:
    return b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHI", 274, kind, count) + value + bytes(4)


@pytest.mark.parametrize("picture_input", INPUTS, ids=lambda one: one.fit)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", sorted(STORED_AS))
def test_all_orientations_of_a_lossless_picture_decode_alike(
    orientation: int, form: str, picture_input: PictureInput, picture: Image.Image, encode: Encode
) -> None:
    """However it was stored, the result is to the last bit that of the upright picture."""
    lossless = {"lossless": True} if form == "WEBP" else {}
    stored = picture.transpose(STORED_AS[orientation])
    turned = decode_picture(encode(stored, form, exif=_exif(orientation), **lossless), picture_input)
    upright = decode_picture(encode(picture), picture_input)
    assert (48, 32) == (turned.width, turned.height)
    np.testing.assert_array_equal(upright.pixels, turned.pixels)


@pytest.mark.parametrize("orientation", sorted(STORED_AS))
def test_a_jpeg_decoded_at_a_fraction_is_turned_without_a_shift(orientation: int, encode: Encode) -> None:
    """Sides that no fraction divides leave a partial pixel, which turns with the picture and is not shown."""
    large = Image.linear_gradient("L").resize((301, 203)).convert("RGB")
    large.paste((250, 20, 20), (0, 0, 150, 100))
    stored = large.transpose(STORED_AS[orientation])
    wanted = PictureInput(24, 36)
    turned = decode_picture(
        encode(stored, "JPEG", quality=95, subsampling=0, exif=_exif(orientation)), wanted
    )
    upright = decode_picture(encode(large), wanted)
    assert np.abs(turned.pixels.astype(int) - upright.pixels).mean() < 1.5


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"nonsense, and much of it",
        _block(3, 1, struct.pack("<HH", 0, 0)),
        _block(3, 1, struct.pack("<HH", 9, 0)),
        _block(2, 1, struct.pack("<HH", 6, 0)),
        _block(3, 0, struct.pack("<HH", 6, 0)),
        _block(4, 1000, struct.pack("<I", 2**31)),
        b"II*\0" + struct.pack("<IH", 8, 65535),
    ],
)
def test_unreadable_exif_means_as_stored(exif: bytes, picture: Image.Image, encode: Encode) -> None:
    """A damaged block, or an orientation out of range, neither refuses nor turns the picture."""
    assert 1 == read_orientation(exif)
    plain = decode_picture(encode(picture, "JPEG"), PictureInput(32, 48)).pixels
    with_exif = encode(picture, "JPEG", exif=b"Exif\0\0" + exif)
    np.testing.assert_array_equal(plain, decode_picture(with_exif, PictureInput(32, 48)).pixels)


@pytest.mark.parametrize("kind", [(1, b"\x06\0\0\0"), (3, b"\x06\0\0\0"), (4, b"\x06\0\0\0")])
def test_an_orientation_of_any_whole_number_type_counts(kind: tuple[int, bytes]) -> None:
    """Cameras write SHORT; BYTE and LONG are met, too."""
    assert 6 == read_orientation(_block(kind[0], 1, kind[1]))
