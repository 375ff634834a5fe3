"""Files that are whole or not there: written beside, forced to the disk, then moved into place."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pictor_store.durable import force_to_disk
from pictor_training.errors import TrainingError


def write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace `path` by what `write` writes; whatever happens, `path` is the old file or the new one.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.

    """
    beside = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        force_to_disk(path.parent)
    except OSError as error:
        with suppress(OSError):  # the first error is the one worth telling
            beside.unlink()
        raise TrainingError(
            f"{path} could not be written: {error.strerror or error}. What stood there before is untouched; "
            "make room or fix the permissions, then resume the run."
        ) from error


def write_text_durably(path: Path, text: str) -> None:
    """Do the same with text, as UTF-8. A file name that is no text is written escaped instead of refused."""
    write_durably(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))
