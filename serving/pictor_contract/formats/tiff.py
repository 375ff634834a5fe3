"""TIFF: directories of tags, chained; each describes one page."""

from struct import pack

from pictor_contract.errors import BrokenPicture, UnsupportedPicture
from pictor_contract.formats.directory import (
    FIELD_BYTES,
    ORIENTATION,
    UNIT_SIZES,
    Entry,
    Tags,
    open_tags,
    upright_or,
)
from pictor_contract.formats.header import Header
from pictor_contract.limits import DecodeLimits

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 256, 257, 258, 262, 339
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_WHITE_IS_ZERO = 0
_UNSIGNED, _SIGNED = 1, 2
_BYTE, _TWELVE = 8, 12  # bits

_ONE_VALUE = {_WIDTH, _HEIGHT, 259, _PHOTOMETRIC, 266, 277, 278, 284, 317, _TILE_WIDTH, _TILE_HEIGHT}
# Sample layout, where strips or tiles lie, palette, and what the fax, JPEG and YCbCr codecs need.
_PIXEL_TAGS = (
    _ONE_VALUE
    | {_BITS, 273, 279, 292, 293, 320, 324, 325, 332, 338, _SAMPLE_FORMAT, 347}
    | {
        *range(512, 522),
        *range(529, 533),
    }
)


def read_tiff(data: bytes, limits: DecodeLimits) -> Header:
    """Read the first page, count the others, and leave the pixels' tags alone in its directory."""
    tags = open_tags(data)
    if tags is None:
        raise UnsupportedPicture("The file is a BigTIFF. Save it as an ordinary TIFF.")
    (first,) = tags.unpack("I", 4)
    frames = _count_pages(tags, first, limits)
    entries = {entry.tag: entry for entry in reversed(tags.entries(first))}  # of two alike the first counts
    numbers = {tag: tags.first_number(entry) for tag, entry in entries.items() if tag in _PIXEL_TAGS}
    width, height = numbers.get(_WIDTH) or 0, numbers.get(_HEIGHT) or 0
    limits.check_pixels(width, height)
    limits.check_pixels(numbers.get(_TILE_WIDTH) or 1, numbers.get(_TILE_HEIGHT) or 1)
    _check_meaning(numbers)
    orientation = upright_or(tags.first_number(entries[ORIENTATION])) if ORIENTATION in entries else 1
    kept = [entries[tag] for tag in sorted(_PIXEL_TAGS & entries.keys())]
    return Header("TIFF", width, height, _with_directory(tags, first, kept), frames, orientation)


def _count_pages(tags: Tags, offset: int, limits: DecodeLimits) -> int:
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise BrokenPicture("The TIFF's list of pages runs in a circle. Send the original file.")
        seen.add(offset)
        limits.check_frames(len(seen))
        offset = tags.following(offset)
    return len(seen)


def _check_meaning(numbers: dict[int, int | None]) -> None:
    """Refuse samples whose numbers Pillow passes on without regard to what they mean."""
    bits, sample = numbers.get(_BITS) or 1, numbers.get(_SAMPLE_FORMAT) or _UNSIGNED
    inverted = bits > _BYTE and numbers.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if inverted or bits == _TWELVE or (bits <= _BYTE and sample == _SIGNED):
        raise UnsupportedPicture(
            f"The TIFF has {'inverted ' if inverted else ''}{'signed ' if sample == _SIGNED else ''}"
            f"samples of {bits} bits. Save it with 8 bits, or with 16 where 0 is black."
        )


def _with_directory(tags: Tags, start: int, entries: list[Entry]) -> bytes:
    """Write the shorter directory over the old one: added bytes could pass for missing pixels."""
    total = 0
    for entry in entries:
        if entry.kind not in UNIT_SIZES or entry.count == 0 or (entry.tag in _ONE_VALUE and entry.count != 1):
            raise BrokenPicture(f"The TIFF's tag {entry.tag} is malformed. Send the original file.")
        if entry.size > FIELD_BYTES:
            total += entry.size
            if max(total, tags.place(entry) + entry.size) > len(tags.data):
                raise BrokenPicture("The TIFF ends before its last tag. Send the whole file.")
    count = pack(tags.order + "H", len(entries))
    directory = b"".join([count, *(entry.raw for entry in entries), bytes(4)])
    return tags.data[:start] + directory + tags.data[start + len(directory) :]
