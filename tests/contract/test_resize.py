"""Geometry: stretch, crop and pad, from one pixel to very long pictures."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pictor_contract import PictureInput, decode_picture
from pictor_contract.contract import Fit
from pictor_contract.decode import _load_upright
from pictor_contract.formats.header import Header
from pictor_contract.resize import pad, resize, scaled_size

Encode = Callable[..., bytes]
FITS: list[Fit] = ["stretch", "crop", "pad"]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
def test_a_picture_of_the_right_size_is_left_alone(
    name: str, fit: Fit, picture: Image.Image, encode: Encode
) -> None:
    """No filter softens what needs no resize."""
    wanted = PictureInput(32, 48, fit=fit, resize_filter=name)  # type: ignore[arg-type]  # parametrized names
    np.testing.assert_array_equal(np.asarray(picture), decode_picture(encode(picture), wanted).pixels)


def test_stretch_resizes_all_of_the_picture_with_the_stated_filter(
    picture: Image.Image, encode: Encode
) -> None:
    """Exactly what Pillow's resize gives."""
    expected = picture.resize((20, 30), Image.Resampling.BICUBIC)
    decoded = decode_picture(encode(picture), PictureInput(30, 20, resize_filter="bicubic"))
    np.testing.assert_array_equal(np.asarray(expected), decoded.pixels)


def test_crop_keeps_the_centre(encode: Encode) -> None:
    """Of a wide picture the middle square, at its own resolution."""
    image = Image.new("RGB", (30, 10), (255, 0, 0))
    image.paste((0, 0, 255), (10, 0, 20, 10))
    decoded = decode_picture(encode(image), PictureInput(10, 10, fit="crop"))
    assert (decoded.pixels == (0, 0, 255)).all()


def test_pad_keeps_all_and_fills_the_sides_with_the_background(encode: Encode) -> None:
    """A wide picture gets bars above and below."""
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    rows = decode_picture(encode(image), PictureInput(20, 20, fit="pad", background=(1, 2, 3))).pixels
    assert (rows[:5] == (1, 2, 3)).all()
    assert (rows[5:15] == (255, 0, 0)).all()
    assert (rows[15:] == (1, 2, 3)).all()


def test_pad_uses_the_backgrounds_luma_for_one_channel(encode: Encode) -> None:
    """Pure red is 76."""
    padded = decode_picture(
        encode(Image.new("L", (8, 4), 9)), PictureInput(8, 8, 1, fit="pad", background=(255, 0, 0))
    )
    assert [76, 76, 9, 9, 9, 9, 76, 76] == padded.pixels[:, 0, 0].tolist()


def test_pad_lays_a_grey_picture_on_a_coloured_background(encode: Encode) -> None:
    """The bars keep their colour although the picture has none."""
    padded = decode_picture(
        encode(Image.new("L", (8, 4), 9)), PictureInput(8, 8, fit="pad", background=(255, 0, 7))
    )
    assert [[255, 0, 7], [9, 9, 9]] == padded.pixels[[0, 4], 0].tolist()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000), (3, 2)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_extreme_sizes_are_decoded(
    form: str, size: tuple[int, int], channels: int, fit: Fit, encode: Encode
) -> None:
    """A picture of one level stays of one level, whatever its shape; the result is contiguous uint8."""
    wanted = PictureInput(24, 40, channels, fit=fit, background=(120, 120, 120))
    decoded = decode_picture(encode(Image.new("RGB", size, (120, 120, 120)), form), wanted)
    assert size == (decoded.width, decoded.height)
    assert (24, 40, channels) == decoded.pixels.shape
    assert np.dtype(np.uint8) == decoded.pixels.dtype
    assert decoded.pixels.flags.c_contiguous
    assert (decoded.pixels == 120).all()


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    wanted=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    fit=st.sampled_from(FITS),
    spare=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
)
def test_every_shape_reaches_every_shape(
    size: tuple[int, int], wanted: tuple[int, int], fit: Fit, spare: tuple[float, float]
) -> None:
    """No rounding of boxes ever leaves the picture or misses the size."""
    picture_input = PictureInput(wanted[1], wanted[0], 1, fit=fit)
    scaled = scaled_size(size, picture_input)
    assert 1 <= scaled[0] <= wanted[0]
    assert 1 <= scaled[1] <= wanted[1]
    box = (spare[0], spare[1], float(size[0]), float(size[1]))
    resized = resize(Image.new("L", size), scaled, box, picture_input)
    assert wanted == pad(resized, picture_input, 0).size


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_scaled_decoding_never_goes_below_what_the_resize_needs(
    fit: Fit, orientation: int, encode: Encode
) -> None:
    """Also with sides swapped: both stay at least the size asked for, and some decoding was saved."""
    header = Header("JPEG", 640, 320, encode(Image.new("RGB", (640, 320)), "JPEG"), orientation=orientation)
    upright = (640, 320) if orientation == 1 else (320, 640)
    needed = scaled_size(upright, PictureInput(40, 70, fit=fit))
    with Image.open(BytesIO(header.pixel_bytes)) as opened:
        image, box = _load_upright(opened, header, needed)
    assert box == (0.0, 0.0, float(image.width), float(image.height))
    assert needed[0] <= image.width < upright[0]
    assert needed[1] <= image.height < upright[1]
