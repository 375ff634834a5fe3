"""One picture file with what is known of it before it is opened."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Side = Literal["train", "val", "test"]

SIDES: Final[tuple[Side, ...]] = ("train", "val", "test")
"""In the order in which a group of pictures may sink when pictures are added: only towards the front."""


@dataclass(frozen=True, slots=True)
class Example:
    """A file, its labels (sorted, none only for multi-label) and the side its owner put it on, if any.

    `content` is the sha256 (hex) that it must have, where its owner wrote that down.
    """

    path: Path
    labels: tuple[str, ...]
    split: Side | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """What lay in the folders and was not taken for a picture."""

    hidden: int = 0
    special: int = 0
    outside: int = 0
    empty_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder or a manifest names, before it is judged as a whole."""

    root: Path
    examples: tuple[Example, ...]
    skipped: Skipped = Skipped()


def clean_name(name: str) -> str:
    """Return a file's or class's name as text that every encoder takes.

    Composed (NFC), as macOS and Linux spell the same accent differently; bytes that are no UTF-8 become
    U+FFFD.
    """
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def is_regular(path: Path) -> bool:
    """Whether `path` is a file that can be opened and ends: no pipe, no broken link, no impossible name."""
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be entered
        return False
