"""The table of tags that TIFF files and EXIF blocks share."""

from dataclasses import dataclass
from struct import error, unpack_from

ORIENTATION = 274

UNIT_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes per value, by the number of the value's type."""

FIELD_BYTES = 4
"""Values of at most this size stand in the entry itself."""

_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I"}
_ENTRY_BYTES = 12
_ORIENTATIONS = range(1, 9)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag; `raw` is the entry as it stands in the file."""

    tag: int
    kind: int
    count: int
    raw: bytes

    @property
    def size(self) -> int:
        """Bytes of all its values; 0 for a type nobody knows."""
        return self.count * UNIT_SIZES.get(self.kind, 0)


@dataclass(frozen=True, slots=True)
class Tags:
    """TIFF-shaped bytes and their byte order ("<" or ">")."""

    data: bytes
    order: str

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Read `layout` in the file's byte order; struct.error beyond its end."""
        return unpack_from(self.order + layout, self.data, offset)

    def entries(self, offset: int) -> list[Entry]:
        """List the tags of the directory at `offset`; struct.error where it leaves the file."""
        (count,) = self.unpack("H", offset)
        found = []
        for start in range(offset + 2, offset + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
            tag, kind, values = self.unpack("HHI", start)
            self.unpack("I", start + 8)  # the entry's last field lies inside the file, too
            found.append(Entry(tag, kind, values, self.data[start : start + _ENTRY_BYTES]))
        return found

    def following(self, offset: int) -> int:
        """Find where the next directory starts; 0 after the last."""
        (count,) = self.unpack("H", offset)
        return self.unpack("I", offset + 2 + count * _ENTRY_BYTES)[0]

    def first_number(self, entry: Entry) -> int | None:
        """Read the first value of a tag of whole numbers; None for other types."""
        layout = _WHOLE_NUMBERS.get(entry.kind)
        if layout is None or entry.count == 0:
            return None
        if entry.size <= FIELD_BYTES:
            return int(unpack_from(self.order + layout, entry.raw, 8)[0])
        return self.unpack(layout, self.place(entry))[0]

    def place(self, entry: Entry) -> int:
        """Offset of values that do not fit into the entry itself."""
        return int(unpack_from(self.order + "I", entry.raw, 8)[0])


def open_tags(data: bytes) -> Tags | None:
    """Recognise the byte order; None if this is no table of tags."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    return None if order is None else Tags(data, order)


def read_orientation(exif: bytes) -> int:
    """Orientation (1 to 8) from an EXIF block; 1, as stored, where it is absent, damaged or out of range."""
    tags = open_tags(exif.removeprefix(b"Exif\0\0"))
    if tags is None:
        return 1
    try:
        numbers = [
            tags.first_number(entry)
            for entry in tags.entries(tags.unpack("I", 4)[0])
            if entry.tag == ORIENTATION
        ]
    except error:
        return 1
    return upright_or(numbers[0]) if numbers else 1


def upright_or(number: int | None) -> int:
    """Return `number` if it is an orientation, otherwise 1."""
    return number if number is not None and number in _ORIENTATIONS else 1
