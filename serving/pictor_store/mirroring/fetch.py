"""One version's files brought beside where it will be, and proven; what an earlier run brought is kept."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from pictor_store.durable import force_to_disk, make_folder
from pictor_store.errors import VersionDamaged
from pictor_store.models.versions import verify_folder
from pictor_store.places.place import FileFacts, Place

Room = Callable[[str, int], None]
"""Told a version's place and the bytes that are still to come; raises StoreError if they are too many."""


def stage(source: Place, at: str, staging: Path, room: Room) -> None:
    """Copy the version at `at` into the folder `staging`, file by file, and compare it with its manifest.

    Killed, it leaves whole files there, with which the next call goes on.

    Raises:
        VersionDamaged: it is not what was published, or is being removed; nothing of it stays here.
        StoreError: there is no room for it.
        OSError: the store cannot be read, or this disk not written.
    """
    facts = source.files(at)
    paths = {_inside(source, at, one): one for one in facts}
    make_folder(staging)
    _clear_out(staging, paths)
    missing = {path: one for path, one in paths.items() if not _is_there(staging / path, one.size)}
    room(f"{source.where}/{at}", sum(one.size for one in missing.values()))
    for path, one in missing.items():
        _bring(source, one.path, staging / path)
    try:
        verify_folder(staging)
    except VersionDamaged as error:
        shutil.rmtree(staging)
        words = str(error).replace(str(staging), f"{source.where}/{at}")
        raise VersionDamaged(
            f"{words} It is not served. Publish the model again, or roll back if it has a label."
        ) from error
    for folder in (staging, *filter(Path.is_dir, staging.rglob("*"))):
        force_to_disk(folder)


def _inside(source: Place, at: str, one: FileFacts) -> str:
    path = PurePosixPath(one.path.removeprefix(f"{at}/"))
    if path.is_absolute() or ".." in path.parts:
        raise VersionDamaged(f"{source.where}/{one.path} is not a version's file: remove it.")
    return path.as_posix()


def _clear_out(staging: Path, paths: Collection[str]) -> None:
    """Remove what a killed run left half copied, and what is not the version's any more."""
    for left in [one for one in staging.rglob("*") if not one.is_dir()]:
        if left.relative_to(staging).as_posix() not in paths:
            left.unlink()


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _bring(source: Place, path: str, target: Path) -> None:
    make_folder(target.parent)
    beside = target.with_name(f".{target.name}.partial")
    try:
        source.download(path, beside)
        force_to_disk(beside)
        beside.replace(target)
    finally:  # half a file would keep a full disk full: for labels, and for what is to be removed
        beside.unlink(missing_ok=True)
