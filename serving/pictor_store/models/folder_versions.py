"""Versions in a folder.

::

    <store>/<name>/<number>/        a version: appears in one rename, never changes; no number is reused
                   .staging-<id>/   a version that is being copied; not a number, so no reader takes it
                   .removed-<id>/   a version that was taken away in one rename and is being deleted
                   .last_version    the highest number ever given, written before it is used
                   .lock            held by the one who changes the model; the kernel drops it with him
                   .history/        what was done, one file per event
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pictor_contract import ContractError, ImageContract
from pictor_contract.artifact import MANIFEST_FILE, list_versions, read_contract
from pictor_store.durable import force_to_disk, is_beside, make_folder
from pictor_store.errors import VersionDamaged
from pictor_store.models.history import HISTORY_FOLDER
from pictor_store.models.versions import (
    Announce,
    is_number,
    note_number,
    read_highest,
    verify_folder,
)
from pictor_store.places.folder import FolderPlace

_STAGING = ".staging-"
_REMOVED = ".removed-"


class FolderVersions:
    """The versions of the model in the folder `name` of `place`."""

    def __init__(self, place: FolderPlace, name: str) -> None:
        self._place = place
        self._name = name
        self._folder = place.local(name)

    def numbers(self) -> list[int]:
        """Complete versions: those with a manifest, which is copied with the rest before the rename."""
        try:
            present = list_versions(self._folder)
        except FileNotFoundError:  # gone since it was looked for
            return []
        return [number for number in present if (self._folder / str(number) / MANIFEST_FILE).is_file()]

    def contract(self, version: int) -> ImageContract:
        """Read it from the version's folder."""
        try:
            return read_contract(self.folder(version))
        except ContractError as error:
            raise VersionDamaged(str(error)) from error

    def folder(self, version: int) -> Path:
        """Return the version's own folder."""
        return self._folder / str(version)

    def fetch(self, version: int, into: Path) -> Path:
        """Return the version's own folder."""
        return self.folder(version)

    def verify(self, version: int) -> None:
        """Compare every file with the manifest."""
        verify_folder(self.folder(version))

    def highest_given(self) -> int:
        """Read the record."""
        return read_highest(self._place, self._name)

    def note_given(self, version: int) -> None:
        """Write the record, if that is higher."""
        note_number(self._place, self._name, version)

    def bring(self, artifact: Path, announce: Announce | None, check: Callable[[], None]) -> int:
        """Copy into a folder beside, verify what was copied, and rename it to the next number."""
        make_folder(self._folder)
        with self._staged() as staging:
            _copy(artifact, staging)
            verify_folder(staging)
            number = self._next_number()
            self.note_given(number)
            if announce is not None:
                announce(number)
            check()
            staging.rename(self.folder(number))
        force_to_disk(self._folder)
        return number

    def remove(self, version: int) -> None:
        """Rename it to no number, then delete it. Of a link, what it names stays."""
        self.note_given(version)  # it may have been copied in by hand
        away = self._folder / f"{_REMOVED}{uuid4().hex}"
        self.folder(version).rename(away)
        force_to_disk(self._folder)
        _delete(away)

    def sweep(self) -> None:
        """Remove half copies and half deletions; whoever holds the lock is the only live one."""
        for prefix in (_STAGING, _REMOVED):
            for left in self._folder.glob(f"{prefix}*"):
                _delete(left)
        for folder in (self._folder, self._folder / HISTORY_FOLDER):
            for left in folder.glob(".*"):
                if is_beside(left.name):
                    left.unlink(missing_ok=True)

    @contextmanager
    def _staged(self) -> Iterator[Path]:
        staging = self._folder / f"{_STAGING}{uuid4().hex}"
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # does nothing once it was renamed

    def _next_number(self) -> int:
        # Every name of digits counts, also "007" and files: TensorFlow Serving takes it for version 7.
        used = [int(entry.name) for entry in self._folder.iterdir() if is_number(entry.name)]
        return max([self.highest_given(), *used]) + 1


def _copy(artifact: Path, staging: Path) -> None:
    for source in sorted(artifact.rglob("*")):  # a folder sorts before what is in it
        target = staging / source.relative_to(artifact)
        if source.is_dir():
            target.mkdir()
        else:
            shutil.copyfile(source, target)
            force_to_disk(target)
    for folder in (staging, *filter(Path.is_dir, staging.rglob("*"))):
        force_to_disk(folder)


def _delete(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
