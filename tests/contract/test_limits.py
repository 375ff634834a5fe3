"""Limits: refused from the header, before a pixel is read, in every format."""

import struct
import zlib
from collections.abc import Callable
from time import process_time

import pytest
from PIL import Image

from pictor_contract import (
    BrokenPicture,
    DecodeLimits,
    EmptyPicture,
    PictureInput,
    PictureTooLarge,
    UnknownFormat,
    UnsupportedPicture,
    decode_picture,
)
from pictor_contract.limits import MOST_PIXELS

Encode = Callable[..., bytes]
SMALL = PictureInput(8, 8)
SEVERAL = [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]


def _png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _jpeg_header(width: int, height: int, bits: int = 8, components: int = 3) -> bytes:
    return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, bits, height, width, components) + bytes(9)


def _gif(canvas: tuple[int, int], frame: tuple[int, int]) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0, 0, 0)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\0;"


def _webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + sides


def _bmp(width: int, height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<IIiHH", 40, width, height, 1, 24) + bytes(24)


def _tiff(width: int, height: int, following: int = 0) -> bytes:
    entries = struct.pack("<HHII", 256, 4, 1, width) + struct.pack("<HHII", 257, 4, 1, height)
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", following)


HUGE = {
    "png": _png_header(100_000, 100_000),
    "jpeg": _jpeg_header(65_500, 65_500),
    "gif": _gif((65_535, 65_535), (1, 1)),
    "gif whose frame leaves its canvas": _gif((1, 1), (65_535, 65_535)),
    "webp": _webp(16_384, 16_384),
    "bmp": _bmp(3_000_000, 2_000_000),
    "bmp from the top": _bmp(3_000_000, -2_000_000),
    "tiff": _tiff(100_000, 100_000),
}
NOTHING = {
    "png": _png_header(0, 5),
    "jpeg": _jpeg_header(5, 0),
    "gif": _gif((0, 0), (0, 0)),
    "bmp": _bmp(5, 0),
    "tiff": _tiff(0, 5),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_size_is_refused_from_the_header(name: str) -> None:
    """These files hold no pixels at all: who read on would say that they are broken."""
    with pytest.raises(PictureTooLarge, match="at most 50000000 are allowed"):
        decode_picture(HUGE[name], SMALL)


@pytest.mark.parametrize("size", [(1, 65_536), (65_536, 1)])
def test_a_side_longer_than_a_jpegs_is_refused(size: tuple[int, int]) -> None:
    """Few pixels in all, but each row takes memory of its own wherever it is handled."""
    with pytest.raises(PictureTooLarge, match="no side may have more than 65535"):
        decode_picture(_png_header(*size), SMALL)


@pytest.mark.parametrize("name", NOTHING)
def test_a_size_of_nothing_is_refused(name: str) -> None:
    """Neither a crash nor an empty array."""
    with pytest.raises(BrokenPicture):
        decode_picture(NOTHING[name], SMALL)


def test_too_many_bytes_are_refused_before_they_are_looked_at() -> None:
    """Even if they are no picture."""
    with pytest.raises(PictureTooLarge, match="has 11 bytes; at most 10 are allowed"):
        decode_picture(b"no picture!", SMALL, DecodeLimits(max_bytes=10))


@pytest.mark.parametrize(("form", "options"), SEVERAL)
def test_frames_are_counted_up_to_the_limit(
    form: str, options: dict[str, bool], picture: Image.Image, encode: Encode
) -> None:
    """Exactly as many as allowed pass; one more is refused."""
    more = [picture.rotate(90 * turn) for turn in (1, 2)]
    data = encode(picture, form, save_all=True, append_images=more, **options)
    assert 3 == decode_picture(data, SMALL, DecodeLimits(max_frames=3)).frames
    with pytest.raises(PictureTooLarge, match="more than 2 frames"):
        decode_picture(data, SMALL, DecodeLimits(max_frames=2))


def _with_scans(scans: int, encode: Encode) -> bytes:
    data = encode(Image.new("RGB", (16, 16), (90, 90, 90)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    # An end mark inside a comment is none: a count that stopped there would miss all that follows.
    return data[:last] + b"\xff\xfe\0\x04\xff\xd9".join([data[last:-2]] * scans) + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused(encode: Encode) -> None:
    """Each costs a pass over the whole picture."""
    with pytest.raises(PictureTooLarge, match="more than 64 scans"):
        decode_picture(_with_scans(1000, encode), SMALL)


def test_scans_behind_the_end_mark_do_not_count(picture: Image.Image, encode: Encode) -> None:
    """A phone's film, appended to its picture, may hold any bytes."""
    data = encode(picture, "JPEG")
    assert "JPEG" == decode_picture(data + b"\xff\xda\0\x02" * 100, SMALL).format


@pytest.mark.parametrize("following", [8, 4])
def test_pages_that_run_in_a_circle_are_refused(following: int) -> None:
    """A list that leads back to itself, or into bytes that are no list."""
    with pytest.raises(BrokenPicture):
        decode_picture(_tiff(4, 4, following), SMALL)


def test_an_endless_chain_of_pages_is_followed_only_to_the_limit() -> None:
    """A hundred thousand empty pages cost as much as 257."""
    pages = b"".join(struct.pack("<HI", 0, 8 + 6 * page) for page in range(1, 100_000))
    with pytest.raises(PictureTooLarge, match="frames"):
        decode_picture(b"II*\0" + struct.pack("<I", 8) + pages, SMALL)


MANY_BLOCKS = {
    "png": _png_header(4, 4) + _chunk(b"tEXt", b"") * 200_000,
    "jpeg": b"\xff\xd8" + b"\xff\xfe\0\x02" * 200_000,
    "gif": _gif((4, 4), (4, 4))[:-7] + b"\x02" + b"\x01\x4c" * 200_000 + b"\0;",
    "gif with stray bytes": _gif((4, 4), (4, 4))[:13] + bytes(200_000),
    "webp": _webp(4, 4) + b"JUNK\0\0\0\0" * 200_000,
}


@pytest.mark.parametrize("name", MANY_BLOCKS)
def test_a_file_of_countless_blocks_is_refused_quickly(name: str) -> None:
    """A walk in Python over millions of empty blocks would take seconds."""
    start = process_time()
    with pytest.raises(PictureTooLarge, match="more than 100000 blocks"):
        decode_picture(MANY_BLOCKS[name], SMALL)
    assert process_time() - start < 2


def test_text_and_profiles_that_inflate_are_never_inflated(encode: Encode) -> None:
    """64 MB of zeros in 64 KB of zTXt and iCCP: the picture decodes as if they were not there."""
    data = encode(Image.new("RGB", (8, 8), (1, 2, 3)))
    bomb = b"name\0\0" + zlib.compress(bytes(64 * 1024 * 1024), 9)
    position = data.index(b"IDAT") - 4
    armed = data[:position] + _chunk(b"zTXt", bomb) + _chunk(b"iCCP", bomb) + data[position:]
    assert (decode_picture(data, SMALL).pixels == decode_picture(armed, SMALL).pixels).all()


def test_junk_before_the_first_segment_of_a_jpeg_costs_nothing(picture: Image.Image, encode: Encode) -> None:
    """Ten megabytes of padding are legal, and skipped at once."""
    data = encode(picture, "JPEG")
    start = process_time()
    padded = data[:2] + b"\xff" * 10_000_000 + data[2:]
    assert (decode_picture(data, SMALL).pixels == decode_picture(padded, SMALL).pixels).all()
    assert process_time() - start < 2


def test_a_lower_process_wide_alarm_of_pillow_is_a_refusal_too(
    picture: Image.Image, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's setting must not become a crash; nor do we change theirs."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureTooLarge):
        decode_picture(encode(picture), SMALL)


def test_our_limit_always_speaks_before_pillows() -> None:
    """So no filter of warnings decides about a picture."""
    assert Image.MAX_IMAGE_PIXELS == MOST_PIXELS
    with pytest.raises(ValueError, match="max_pixels must be at most"):
        DecodeLimits(max_pixels=MOST_PIXELS + 1)


@pytest.mark.parametrize("name", ["max_bytes", "max_pixels", "max_frames", "max_scans"])
def test_a_limit_that_lets_nothing_through_is_refused(name: str) -> None:
    """0 does not mean unlimited."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        DecodeLimits(**{name: 0})


def test_no_bytes_are_an_empty_picture() -> None:
    """Said as such, not as an unknown format."""
    with pytest.raises(EmptyPicture, match="0 bytes"):
        decode_picture(b"", SMALL)


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\xef\xbb\xbf \n<HTML>", "an HTML page"),
        (b"<?xml version='1.0'?><svg/>", "SVG or other XML"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypisom", "a video"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"BMW is no bitmap, whatever it starts with", "42 4d 57 20 69 73 20 6e"),
        (b"\x00\x01", "00 01"),
    ],
)
def test_content_of_no_allowed_format_is_named(data: bytes, received: str) -> None:
    """The sender learns what arrived."""
    with pytest.raises(UnknownFormat, match=received):
        decode_picture(data, SMALL)


@pytest.mark.parametrize(("bits", "components"), [(12, 3), (8, 2)])
def test_a_jpeg_of_another_depth_is_unsupported(bits: int, components: int) -> None:
    """It is not broken; the message says what it is."""
    with pytest.raises(UnsupportedPicture, match=f"{components} components of {bits} bits"):
        decode_picture(_jpeg_header(4, 4, bits, components), SMALL)


def test_a_bigtiff_is_unsupported() -> None:
    """Made for files beyond 4 GB."""
    with pytest.raises(UnsupportedPicture, match="BigTIFF"):
        decode_picture(b"II+\0\x08\0\0\0" + bytes(20), SMALL)
