"""What becomes of each kind of picture: the table in `decode`, line by line, on a few pixels."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictor_contract import PictureInput, UnsupportedPicture, decode_picture

Encode = Callable[..., bytes]
BACKGROUND = (200, 100, 0)


def _decoded(data: bytes, width: int, height: int = 1, channels: int = 3) -> Any:  # nested lists
    picture_input = PictureInput(height, width, channels, background=BACKGROUND)
    return decode_picture(data, picture_input).pixels.tolist()


def _png(depth: int, colour: int, row: bytes, width: int, transparent: bytes = b"") -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(body)) + name + body for name, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(one + struct.pack(">I", zlib.crc32(one[4:])) for one in packed)


def _row(*values: float, dtype: Any) -> Image.Image:  # what numpy takes
    return Image.fromarray(np.array([values], dtype=dtype))


def _tag_changed(data: bytes, tag: int, value: int) -> bytes:
    at = struct.unpack_from("<I", data, 4)[0] + 2
    while struct.unpack_from("<H", data, at)[0] != tag:
        at += 12
    return data[: at + 8] + struct.pack("<HH", value, 0) + data[at + 12 :]


def test_grey_is_repeated_for_three_channels_and_kept_for_one(encode: Encode) -> None:
    """No weight, no rounding."""
    data = encode(_row(0, 77, 255, dtype=np.uint8))
    assert [[[0, 0, 0], [77, 77, 77], [255, 255, 255]]] == _decoded(data, 3)
    assert [[[0], [77], [255]]] == _decoded(data, 3, channels=1)


def test_one_bit_is_black_and_white(encode: Encode) -> None:
    """0 and 1 become 0 and 255."""
    data = encode(_row(0, 255, dtype=np.uint8).convert("1"))
    assert [[[0], [255]]] == _decoded(data, 2, channels=1)


def test_colour_becomes_luma_for_one_channel(encode: Encode) -> None:
    """ITU-R 601-2: 0.299 red, 0.587 green, 0.114 blue."""
    image = Image.new("RGB", (3, 1))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    assert [[[76], [150], [29]]] == _decoded(encode(image), 3, channels=1)


def test_a_palette_becomes_its_colours(encode: Encode) -> None:
    """GIF and PNG alike."""
    image = Image.new("P", (2, 1))
    image.putpalette([1, 2, 3, 40, 50, 60])
    image.putdata([1, 0])
    for form in ("PNG", "GIF", "BMP", "TIFF"):
        assert [[[40, 50, 60], [1, 2, 3]]] == _decoded(encode(image, form), 2)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_over_the_background(form: str, encode: Encode) -> None:
    """Opaque is the picture, transparent the background, half is half."""
    image = Image.new("RGBA", (3, 1))
    image.putdata([(10, 20, 30, 255), (10, 20, 30, 0), (0, 0, 0, 128)])
    data = encode(image, form, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
    assert [[[10, 20, 30], list(BACKGROUND), [100, 50, 0]]] == _decoded(data, 3)


def test_grey_with_alpha_lies_over_the_coloured_background(encode: Encode) -> None:
    """Even for one channel the background counts: as its luma."""
    image = Image.new("LA", (2, 1))
    image.putdata([(33, 255), (33, 0)])
    assert [[[33, 33, 33], list(BACKGROUND)]] == _decoded(encode(image), 2)
    assert [[[33], [118]]] == _decoded(encode(image), 2, channels=1)


def test_a_premultiplied_tiff_is_not_multiplied_twice(encode: Encode) -> None:
    """Associated alpha (tag 338 is 1): 50 at half opacity was 100."""
    data = encode(Image.new("RGBA", (1, 1), (50, 50, 50, 128)), "TIFF")
    np.testing.assert_allclose(_decoded(_tag_changed(data, 338, 1), 1), [[[150, 100, 50]]], atol=1)


@pytest.mark.parametrize(
    ("depth", "row", "level"),
    [(1, b"\x40", 0), (2, b"\x10", 0), (4, b"\x01", 0), (8, b"\0\x01", 0), (16, b"\x12\x34\x12\x35", 0x12)],
)
def test_the_transparent_level_of_a_grey_png_is_compared_at_its_own_depth(
    depth: int, row: bytes, level: int
) -> None:
    """The second pixel has the transparent level; the first, as near as the depth allows, has not."""
    transparent = row[2:] if depth == 16 else b"\0\x01"
    data = _png(depth, 0, row, 2, transparent)
    assert [[[level] * 3, list(BACKGROUND)]] == _decoded(data, 2)


def test_the_transparent_colour_of_an_rgb_png_shows_the_background() -> None:
    """Only the exact colour is transparent."""
    data = _png(8, 2, bytes([1, 2, 3, 1, 2, 4]), 2, struct.pack(">HHH", 1, 2, 3))
    assert [[list(BACKGROUND), [1, 2, 4]]] == _decoded(data, 2)


def test_a_transparent_colour_of_16_bits_is_refused() -> None:
    """Pillow keeps the high bytes, in which that colour can no longer be told apart."""
    data = _png(16, 2, bytes(6), 1, bytes(6))
    with pytest.raises(UnsupportedPicture, match="16-bit RGB with one transparent colour"):
        _decoded(data, 1)


def test_sixteen_bits_keep_their_high_byte(encode: Encode) -> None:
    """PNG in grey and in colour, TIFF in both byte orders: 0x12FF is 0x12, not 0x13, not white."""
    row = np.array([[0x12FF, 0x00FF, 0xFFFF]], np.uint16)
    expected = [[[0x12], [0], [0xFF]]]
    assert expected == _decoded(_png(16, 0, row.astype(">u2").tobytes(), 3), 3, channels=1)
    assert expected == _decoded(encode(Image.fromarray(row), "TIFF"), 3, channels=1)
    assert expected == _decoded(encode(Image.fromarray(row.astype(">u2")), "TIFF"), 3, channels=1)
    assert [[[0x12, 0, 0xFF]]] == _decoded(_png(16, 2, row.astype(">u2").tobytes(), 1), 1)


def test_whole_numbers_count_as_16_bits(encode: Encode) -> None:
    """A 32-bit TIFF whose values fit into 16 bits keeps their high byte."""
    assert [[[0x12], [0xFF]]] == _decoded(encode(_row(0x12FF, 65535, dtype=np.int32), "TIFF"), 2, channels=1)


@pytest.mark.parametrize("values", [(-1, 5), (0, 65536)])
def test_whole_numbers_beyond_16_bits_are_refused(values: tuple[int, int], encode: Encode) -> None:
    """Nobody knows what is white; the message says what was received."""
    with pytest.raises(UnsupportedPicture, match=f"from {values[0]} to {values[1]}"):
        _decoded(encode(_row(*values, dtype=np.int32), "TIFF"), 2)


def test_decimal_numbers_from_0_to_1_are_scaled_and_rounded(encode: Encode) -> None:
    """0.5 is 128 (127.5 rounds to even)."""
    data = encode(_row(0, 0.5, 0.25, 1, dtype=np.float32), "TIFF")
    assert [[[0], [128], [64], [255]]] == _decoded(data, 4, channels=1)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan, np.inf, -np.inf])
def test_other_decimal_numbers_are_refused(value: float, encode: Encode) -> None:
    """Out of range, or no number at all, wherever in the picture."""
    with pytest.raises(UnsupportedPicture, match="decimal numbers"):
        _decoded(encode(_row(0.5, value, 0.25, dtype=np.float32), "TIFF"), 3)


def test_an_adobe_cmyk_jpeg_is_not_inverted(encode: Encode) -> None:
    """Paper without ink is white; full black ink is black."""
    image = Image.new("CMYK", (16, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (8, 0, 16, 8))
    pixels = np.array(_decoded(encode(image, "JPEG", quality=95, subsampling=0), 16, 8))
    assert pixels[:, :8].min() > 250
    assert pixels[:, 8:].max() < 5


def test_lab_is_refused(encode: Encode) -> None:
    """Its way to RGB needs a colour-managed choice that is not ours to make."""
    with pytest.raises(UnsupportedPicture, match="LAB"):
        _decoded(encode(Image.new("LAB", (2, 2)), "TIFF"), 2, 2)


@pytest.mark.parametrize(("tag", "value"), [(262, 0), (258, 12)])
def test_a_tiff_whose_numbers_pillow_would_misread_is_refused(tag: int, value: int, encode: Encode) -> None:
    """Inverted 16-bit samples, and 12-bit ones, would come out negative or nearly black."""
    data = encode(_row(1, 2, dtype=np.uint16), "TIFF")
    with pytest.raises(UnsupportedPicture, match="samples of"):
        _decoded(_tag_changed(data, tag, value), 2)


def test_a_compressed_bmp_is_refused(encode: Encode) -> None:
    """Pillow unpacks run lengths in Python: a few kilobytes would cost seconds."""
    data = bytearray(encode(Image.new("P", (4, 4)), "BMP"))
    data[30] = 1
    with pytest.raises(UnsupportedPicture, match="compressed"):
        _decoded(bytes(data), 4, 4)


def test_a_colour_profile_is_ignored(picture: Image.Image, encode: Encode) -> None:
    """The same levels with and without, even if the profile is nonsense."""
    for form in ("PNG", "JPEG", "WEBP", "TIFF"):
        plain, tagged = encode(picture, form), encode(picture, form, icc_profile=b"no profile at all")
        assert plain != tagged
        assert _decoded(plain, 48, 32) == _decoded(tagged, 48, 32)


@pytest.mark.parametrize(
    ("form", "named"), [("GIF", "GIF"), ("WEBP", "WEBP"), ("PNG", "PNG"), ("TIFF", "TIFF")]
)
def test_of_several_frames_the_first_is_decoded_and_all_are_counted(
    form: str, named: str, picture: Image.Image, encode: Encode
) -> None:
    """Animations and pages; lossless, so that the first frame is compared exactly."""
    first = picture.quantize(16).convert("RGB")
    more = [first.rotate(180), Image.new("RGB", first.size, (9, 9, 9))]
    options = {"lossless": True} if form == "WEBP" else {}
    decoded = decode_picture(
        encode(first, form, save_all=True, append_images=more, **options), PictureInput(32, 48)
    )
    assert (named, 3) == (decoded.format, decoded.frames)
    np.testing.assert_array_equal(np.asarray(first), decoded.pixels)


def test_of_a_multi_picture_jpeg_the_first_is_decoded(picture: Image.Image, encode: Encode) -> None:
    """Reported as the plain JPEG that it starts with."""
    several = encode(picture, "MPO", save_all=True, append_images=[picture.rotate(180)])
    decoded = decode_picture(several, PictureInput(32, 48))
    assert ("JPEG", 1) == (decoded.format, decoded.frames)
    assert _decoded(encode(picture, "JPEG"), 48, 32) == decoded.pixels.tolist()
