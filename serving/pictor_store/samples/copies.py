"""Copies of forgotten pictures outside the samples: in folders that a retraining job collected into."""

import os
import shutil
from collections.abc import Collection, Iterator
from hashlib import file_digest
from pathlib import Path

from pictor_store.errors import SamplesError
from pictor_store.samples.layout import is_digest

CACHE_FOLDER = ".cache"
"""Of a folder of runs: decoded pictures, made anew by the next training."""


def delete_copies(folder: Path, digests: Collection[str]) -> list[Path]:
    """Delete the files below `folder` with one of these contents, and return which.

    A file named by a SHA-256, as collected ones are, is believed; any other is read. Links are not followed,
    and a link to such a content is no copy of it.

    Raises:
        SamplesError: a file cannot be read or deleted; repeat it.
    """
    deleted = []
    try:
        for path in _files(folder):
            if _digest(path) in digests:
                path.unlink(missing_ok=True)
                deleted.append(path)
    except OSError as error:
        raise SamplesError(
            f"Copies in {folder} could not be deleted ({error}). Mend that, then repeat the command."
        ) from error
    return deleted


def delete_folder(folder: Path) -> bool:
    """Delete a folder with all that is in it; False if there is none.

    Raises:
        SamplesError: it cannot be deleted.
    """
    try:
        if folder.is_symlink():
            raise SamplesError(f"{folder} is a link: delete what it names yourself, if it is a cache.")
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
    except OSError as error:
        raise SamplesError(f"{folder} could not be deleted ({error}).") from error
    return True


def _files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for above, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            path = Path(above, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _digest(path: Path) -> str:
    stem = path.name.partition(".")[0]
    if is_digest(stem):
        return stem
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
