"""One model's versions, wherever they lie: what a store asks of a folder and of object storage alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pictor_contract import ContractError, ImageContract
from pictor_contract.artifact import verify_manifest
from pictor_store.errors import StoreError, VersionDamaged
from pictor_store.places.place import Place

Announce = Callable[[int], None]
"""Told the number just before the version appears."""

LAST_VERSION_FILE = ".last_version"


class Versions(Protocol):
    """Changes are only for whoever holds the model's lock. What fails raises OSError, or StoreError."""

    def numbers(self) -> list[int]:
        """Complete versions, rising."""

    def contract(self, version: int) -> ImageContract:
        """Read a version's contract."""

    def folder(self, version: int) -> Path | None:
        """Return where a version lies on this machine, if it does."""

    def fetch(self, version: int, into: Path) -> Path:
        """Return a local folder with the version: its own, or a copy below `into`."""

    def verify(self, version: int) -> None:
        """Compare every file with the manifest."""

    def highest_given(self) -> int:
        """Return the highest number that the record knows; 0 where there is none."""

    def note_given(self, version: int) -> None:
        """Make sure that no number up to this one is given again."""

    def bring(self, artifact: Path, announce: Announce | None, check: Callable[[], None]) -> int:
        """Copy the artifact in as the next version; it appears at once, or not at all.

        `check` raises if the lock was lost meanwhile.
        """

    def remove(self, version: int) -> None:
        """Take a version away: it disappears at once."""

    def sweep(self) -> None:
        """Remove what killed processes left half done."""


def is_number(name: str) -> bool:
    """Whether TensorFlow Serving would take a folder's name for a version: any digits, "007" too."""
    return name.isascii() and name.isdigit()


def is_version(name: str) -> bool:
    """Whether we do: as it would be written, "7" but not "007"."""
    return is_number(name) and str(int(name)) == name


def read_highest(place: Place, name: str) -> int:
    """Return the highest number ever given by the record of it; 0 where there is none.

    Raises:
        StoreError: the record cannot be read. The versions that are present do not tell: the highest may be
            deleted, and servers remember it.
    """
    path = f"{name}/{LAST_VERSION_FILE}"
    try:
        content = place.read(path)
    except FileNotFoundError:
        return 0
    text = content.decode("utf-8", "replace").strip()
    if not is_number(text):
        raise StoreError(
            f"{place.where}/{path} must hold the highest version number ever given; it holds {text[:40]!r}. "
            "Write that number into it: TensorFlow Serving ignores a version whose number it has seen before."
        )
    return int(text)


def note_number(place: Place, name: str, number: int) -> None:
    """Write the record, before the number is used or its version goes; it never falls."""
    if number > read_highest(place, name):
        place.write(f"{name}/{LAST_VERSION_FILE}", f"{number}\n".encode())


def verify_folder(folder: Path) -> None:
    """Compare every file of a local version with its manifest.

    Raises:
        VersionDamaged: they differ.
    """
    try:
        verify_manifest(folder)
    except ContractError as error:
        raise VersionDamaged(str(error)) from error
