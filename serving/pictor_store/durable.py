"""Files that are whole or not there: written beside, forced to the disk, then moved into place."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_BESIDE_SUFFIX = ".partial"


def force_to_disk(path: Path) -> None:
    """Wait until the file's content, or the folder's list of names, would survive a power cut.

    Raises:
        OSError: it is not there, or the disk refuses.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it; each name that is new would survive a power cut.

    Raises:
        OSError: a file is in the way, or the folder above cannot be written.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError as error:
        if (
            not folder.is_dir()
        ):  # said apart from "there is one already", which means another thing to callers
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
    force_to_disk(folder.parent)


def is_beside(name: str) -> bool:
    """Whether the name is that of a file not yet moved into place; a killed writer leaves it behind."""
    return name.startswith(".") and name.endswith(_BESIDE_SUFFIX)


@contextmanager
def written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Give a finished file with that content, beside `path` and under no name a reader takes for another.

    It is removed at the end, unless it was moved.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{uuid4().hex}{_BESIDE_SUFFIX}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        with suppress(OSError):  # the first error is the one worth telling
            beside.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place of what was; whatever happens, `path` is the old file or the new one.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    with written_beside(path, content) as beside:
        beside.replace(path)
    force_to_disk(path.parent)
