"""PNG and APNG: chunks, each with a checksum."""

from struct import pack, unpack_from
from zlib import crc32

from pictor_contract.errors import BrokenPicture, UnsupportedPicture
from pictor_contract.formats.directory import read_orientation
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits, check_blocks

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_DEEP = 16  # bits
_FIRST_HEADER = b"\0\0\0\x0dIHDR"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_AROUND = 12  # bytes of length, name and checksum around a chunk's content


def read_png(data: bytes, limits: DecodeLimits) -> Header:
    """Read the header, verify the checksums of the chunks that carry pixels, and keep only those."""
    if not data.startswith(_FIRST_HEADER, len(SIGNATURE)):
        raise BrokenPicture("The PNG does not start with its header. Send the original file.")
    width, height, depth, colour = unpack_from(">IIBB", data, len(SIGNATURE) + 8)
    limits.check_pixels(width, height)
    kept, frames, orientation = [SIGNATURE], 1, 1
    position, blocks, name = len(SIGNATURE), 0, b""
    while position < len(data) and name != b"IEND":
        check_blocks(blocks := blocks + 1)
        length, name = unpack_from(">I4s", data, position)
        end = position + length + _AROUND
        if end > len(data):
            raise BrokenPicture("The PNG ends inside a chunk. Send the whole file.")
        if name in _PIXEL_CHUNKS:
            _verify(data, position, end)
            kept.append(data[position:end])
            if name == b"tRNS":
                kept[-1] = _transparent_as_decoded(kept[-1], depth, colour)
        elif name == b"acTL":
            frames = max(frames, *unpack_from(">I", data, position + 8))
            limits.check_frames(frames)
        elif name == b"eXIf":
            orientation = read_orientation(data[position + 8 : end - 4])
        position = end
    return Header("PNG", width, height, b"".join(kept), frames, orientation)


def _verify(data: bytes, start: int, end: int) -> None:
    (recorded,) = unpack_from(">I", data, end - 4)
    if crc32(memoryview(data)[start + 4 : end - 4]) != recorded:
        raise BrokenPicture("The PNG is corrupt: a chunk's checksum is wrong. Send the original file.")


def _transparent_as_decoded(chunk: bytes, depth: int, colour: int) -> bytes:
    """Scale the transparent level of 2 and 4-bit grey to 8 bits: Pillow does so with the pixels alone.

    The transparent colour of 16-bit RGB cannot be told apart once Pillow has kept the high bytes only.
    """
    if colour == _COLOUR and depth == _DEEP:
        raise UnsupportedPicture(
            "The PNG is 16-bit RGB with one transparent colour. Save it with 8 bits or an alpha channel."
        )
    if colour != _GREY or depth not in (2, 4):
        return chunk
    (level,) = unpack_from(">H", chunk, 8)
    named = b"tRNS" + pack(">H", level * 255 // (2**depth - 1))
    return pack(">I", 2) + named + pack(">I", crc32(named))
