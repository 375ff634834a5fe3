"""How much one picture may ask for. Everything here is checked against its header, before a pixel is read."""

from dataclasses import dataclass, fields

from pictor_contract.errors import BrokenPicture, PictureTooLarge

MOST_PIXELS = 89_478_485
"""Pillow's own alarm. Below it our limit always speaks first, so no warning filter changes an answer."""

MOST_SIDE = 65_535
"""What JPEG allows. Rows cost memory of their own: 50 million rows of one pixel take 1.8 GB to resize."""

MAX_BLOCKS = 100_000
"""Chunks, segments or sub-blocks of one file. An honest 10 MB has 41,000; more only cost time to walk."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one picture may cost; above any of them it is refused with `PictureTooLarge`.

    `max_bytes` counts the encoded file, `max_pixels` width x height as stored, `max_frames` the pictures of
    an animation or a multi-page TIFF, `max_scans` the passes of a JPEG (honest progressive ones have 10).
    """

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_frames: int = 256
    max_scans: int = 64

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing, or more than Pillow itself allows, through."""
        for one in fields(self):
            if getattr(self, one.name) < 1:
                raise ValueError(f"{one.name} must be at least 1; received {getattr(self, one.name)}.")
        if self.max_pixels > MOST_PIXELS:
            raise ValueError(f"max_pixels must be at most {MOST_PIXELS}; received {self.max_pixels}.")

    def check_bytes(self, size: int) -> None:
        """Refuse a file of more than `max_bytes`."""
        if size > self.max_bytes:
            raise PictureTooLarge(
                f"The picture has {size} bytes; at most {self.max_bytes} are allowed. Send a smaller one."
            )

    def check_pixels(self, width: int, height: int) -> None:
        """Refuse a size of more than `max_pixels`, one longer than `MOST_SIDE`, or one of nothing."""
        if width < 1 or height < 1:
            raise BrokenPicture(
                f"The picture's header says {width} x {height} pixels. Send the original file."
            )
        if width * height > self.max_pixels:
            raise PictureTooLarge(
                f"The picture has {width} x {height} pixels; at most {self.max_pixels} are allowed. "
                "Send a smaller one."
            )
        if max(width, height) > MOST_SIDE:
            raise PictureTooLarge(
                f"The picture has {width} x {height} pixels; no side may have more than {MOST_SIDE}. "
                "Send a part of it."
            )

    def check_frames(self, frames: int) -> None:
        """Refuse more than `max_frames`; `frames` may be a count that stopped early."""
        if frames > self.max_frames:
            raise PictureTooLarge(
                f"The picture has more than {self.max_frames} frames. Send one frame, or fewer of them."
            )

    def check_scans(self, scans: int) -> None:
        """Refuse more than `max_scans`: each is a whole pass over the picture, for a few bytes."""
        if scans > self.max_scans:
            raise PictureTooLarge(
                f"The JPEG has more than {self.max_scans} scans. Save it again as an ordinary JPEG."
            )


def check_blocks(blocks: int) -> None:
    """Refuse a file that is cut into absurdly many pieces."""
    if blocks > MAX_BLOCKS:
        raise PictureTooLarge(
            f"The picture's file has more than {MAX_BLOCKS} blocks. Save it again with an ordinary encoder."
        )
