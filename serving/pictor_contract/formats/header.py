"""What the readers of this folder return."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """A picture that keeps the limits.

    `width` and `height` are as stored, before `orientation` (EXIF, 1 to 8). `pixel_bytes` is a file of the
    same format with the first frame and without metadata.
    """

    format: str
    width: int
    height: int
    pixel_bytes: bytes
    frames: int = 1
    orientation: int = 1
