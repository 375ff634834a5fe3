"""GIF: a walk over its blocks, which ends at the first frame too many."""

from pictor_contract.errors import BrokenPicture
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits, check_blocks

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9
_SCREEN_BYTES = 13
_FRAME_BYTES = 10


def read_gif(data: bytes, limits: DecodeLimits) -> Header:
    """Count the frames and keep the first, with the control block that says what in it is transparent."""
    start = position = _SCREEN_BYTES + _palette_bytes(data[10])
    control = first = b""
    frames = blocks = 0
    while position < len(data) and data[position] != _TRAILER:
        kind, block_start = data[position], position
        if kind == _EXTENSION:
            position, blocks = _skip_blocks(data, position + 2, blocks)
            if data[block_start + 1] == _GRAPHIC_CONTROL and not frames:
                control = data[block_start:position]
        elif kind == _FRAME:
            limits.check_frames(frames := frames + 1)
            position += _FRAME_BYTES + _palette_bytes(data[position + 9]) + 1
            position, blocks = _skip_blocks(data, position, blocks)
            first = first or data[block_start:position]
        else:  # stray bytes between blocks are common and harmless
            check_blocks(blocks := blocks + 1)
            position += 1
    if not frames or position > len(data):
        raise BrokenPicture("The GIF ends before its first frame does. Send the whole file.")
    size = _size(data, first)
    limits.check_pixels(*size)
    return Header("GIF", *size, pixel_bytes=data[:start] + control + first + bytes([_TRAILER]), frames=frames)


def _size(data: bytes, frame: bytes) -> tuple[int, int]:
    """Take the canvas, or more where the first frame leaves it: what Pillow makes room for."""
    left, top, width, height = (int.from_bytes(frame[at : at + 2], "little") for at in (1, 3, 5, 7))
    canvas = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return max(canvas[0], left + width), max(canvas[1], top + height)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, position: int, blocks: int) -> tuple[int, int]:
    """Behind the empty sub-block that ends a run of them; IndexError where the file ends first."""
    while size := data[position]:
        position += size + 1
        check_blocks(blocks := blocks + 1)
    return position + 1, blocks + 1
