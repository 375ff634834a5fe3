"""JPEG: segments up to the first scan, then the scans themselves."""

import re
from collections.abc import Iterator
from struct import unpack_from

from pictor_contract.errors import BrokenPicture, UnsupportedPicture
from pictor_contract.formats.directory import read_orientation
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits, check_blocks

# Inside a scan FF is followed by 00 (a plain byte) or by a restart mark; a second FF is padding.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_SOI, _EOI, _SOS, _TEM, _APP1 = 0xD8, 0xD9, 0xDA, 0x01, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three announce tables
# Comments and application segments, except JFIF's and Adobe's: these say which colours the numbers mean.
_METADATA = frozenset(range(0xE1, 0xF0)) - {0xEE} | {0xFE}
_READABLE = ((8, 1), (8, 3), (8, 4))  # bits, components
_LENGTH_BYTES = 2


def read_jpeg(data: bytes, limits: DecodeLimits) -> Header:
    """Read the frame header, count the scans and keep only the segments that decide pixels.

    A multi-picture file (MPO) is its first picture; what follows the end mark is ignored.
    """
    kept, stop = [b"\xff\xd8"], len(data)
    size: tuple[int, int] | None = None
    orientation, scans, first_scan = 1, 0, 0
    for marker, start, content, end in _segments(data):
        if marker == _SOS:
            limits.check_scans(scans := scans + 1)
            first_scan = first_scan or start
        elif marker in _FRAMES:
            size = _read_size(data, content)
            limits.check_pixels(*size)
        elif marker == _APP1 and orientation == 1:
            orientation = read_orientation(data[content:end])
        elif marker == _EOI:
            stop = end
        if not first_scan and marker not in _METADATA:
            kept.append(data[start:end])
    if size is None or not first_scan:
        raise BrokenPicture("The JPEG ends before its first pixel. Send the whole file.")
    return Header(
        "JPEG", *size, pixel_bytes=b"".join([*kept, data[first_scan:stop]]), orientation=orientation
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Marker, start, start of the content, end: of every segment up to the end mark."""
    position = blocks = 0
    while match := _MARKER.search(data, position):
        check_blocks(blocks := blocks + 1)
        marker, position = match[1][0], match.end()
        if marker == _EOI:
            yield marker, match.start(), position, position
            return
        if marker in (_SOI, _TEM):
            continue
        (length,) = unpack_from(">H", data, position)
        content, position = position + _LENGTH_BYTES, position + length
        if length < _LENGTH_BYTES or position > len(data):
            raise BrokenPicture("The JPEG ends inside a segment. Send the whole file.")
        yield marker, match.start(), content, position


def _read_size(data: bytes, position: int) -> tuple[int, int]:
    bits, height, width, components = unpack_from(">BHHB", data, position)
    if (bits, components) not in _READABLE:
        raise UnsupportedPicture(
            f"The JPEG has {components} components of {bits} bits; 1, 3 or 4 of 8 bits can be read. "
            "Save it again as an ordinary JPEG."
        )
    return width, height
