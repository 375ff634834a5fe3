"""What lies in a picture file: its bytes, their digest, or the reason why it cannot be used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pictor_contract import DecodeLimits, PictureRefused
from pictor_training.data.example import Example
from pictor_training.data.threads import in_order

Report = Callable[[str, int, int], None]
"""Told (stage, done, total) as work goes on."""

LIMITS: Final = DecodeLimits(max_bytes=64 * 1024 * 1024)
"""Wider than a server's: whoever trains chose these files, and cameras write more than 10 MB."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is no training picture: a stable code, and a sentence."""

    code: str
    message: str


def read_file(path: Path) -> bytes | Refusal:
    """Return the file's bytes; a file above the limit is refused unread."""
    try:
        LIMITS.check_bytes(path.stat().st_size)
        return path.read_bytes()
    except PictureRefused as error:
        return Refusal(error.code, str(error))
    except OSError as error:
        return Refusal("file_unreadable", f"The file cannot be read ({error.strerror}).")


def hash_contents(examples: Sequence[Example], report: Report) -> list[str | Refusal]:
    """Return each example's sha256 (hex), in their order. Files with the same one are the same picture."""
    found = []
    for done, content in enumerate(in_order(_hash, examples), start=1):
        found.append(content)
        report("reading files", done, len(examples))
    return found


def _hash(example: Example) -> str | Refusal:
    data = read_file(example.path)
    if isinstance(data, Refusal):
        return data
    content = sha256(data).hexdigest()
    if example.content not in (None, content):
        return Refusal("file_changed", "The file is not the one that was collected: its sha256 differs.")
    return content
