"""WebP: chunks in a RIFF container."""

from struct import unpack_from

from pictor_contract.errors import BrokenPicture
from pictor_contract.formats.directory import read_orientation
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits, check_blocks

_CONTAINER_BYTES = 12


def read_webp(data: bytes, limits: DecodeLimits) -> Header:
    """Read the canvas, the number of frames and the orientation.

    The bytes are kept whole: libwebp hands metadata over without parsing it.
    """
    width, height = _read_size(data)
    limits.check_pixels(width, height)
    frames = blocks = 0
    orientation, position = 1, _CONTAINER_BYTES
    while position + 8 <= len(data):
        check_blocks(blocks := blocks + 1)
        name, size = unpack_from("<4sI", data, position)
        if name == b"ANMF":
            limits.check_frames(frames := frames + 1)
        elif name == b"EXIF":
            orientation = read_orientation(data[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    return Header("WEBP", width, height, data, max(frames, 1), orientation)


def _read_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BrokenPicture("The WebP does not start with a picture. Send the original file.")
