"""A finished artifact into the store, under the next number; a reader sees all of it or nothing.

::

    <store>/<name>/<number>/        a version: appears in one rename, never changes; no number is reused
                   .staging-<id>/   a version that is being copied; not a number, so no reader takes it
                   .last_version    the highest number ever given, written before it is used
                   .lock            held by the one publisher; the kernel drops it with the process
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from pictor_contract import ContractError, is_model_name
from pictor_contract.artifact import read_contract, verify_manifest
from pictor_contract.contract import MODEL_NAME_RULE
from pictor_training.durable import force_to_disk, write_text_durably
from pictor_training.errors import PublishError

LOCK_TIMEOUT_S = 60.0
"""Seconds to wait for another publisher of the same model."""

_STAGING = ".staging-"
_LAST_VERSION = ".last_version"
_LOCK = ".lock"


def check_store(store: Path, name: str) -> None:
    """Refuse a store that could not take a version of `name`, before hours are spent on one; nothing is made.

    Raises:
        PublishError: it cannot be written, or is no folder.

    """
    try:
        there = next(path for path in (store / name, *(store / name).absolute().parents) if path.exists())
    except OSError as error:
        raise PublishError(f"{store} cannot be a store: {error.strerror}. Say --models.") from error
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "cannot be written" if there.is_dir() else "is a file, not a folder"
        raise PublishError(f"{store} cannot be a store: {there} {reason}. Say --models, or --no-publish.")


def publish(
    artifact: Path,
    store: Path,
    name: str,
    *,
    announce: Callable[[int], None] | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> int:
    """Copy `artifact` into `store` as the next version of `name`; return its number.

    It may be killed at any point: the store then holds the whole version or none, and the next call goes on.
    `announce` is told the number just before the version appears: whoever notes it down can tell after a kill
    whether it did appear, as no number is given twice.

    Raises:
        PublishError: the name or the artifact is refused, another publisher holds the lock too long, or the
            store cannot be written (full, read-only). No reader saw half a version.

    """
    _check(artifact, name)
    folder = store / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        force_to_disk(store)
        with FileLock(folder / _LOCK, timeout=lock_timeout_s):
            _remove_left_behind(folder)
            return _publish(artifact, folder, announce)
    except Timeout as error:
        raise PublishError(
            f"Another publisher has held {folder / _LOCK} for {lock_timeout_s:g} s. Resume the run when it "
            "has ended."
        ) from error
    except (OSError, ContractError) as error:
        raise PublishError(
            f"{store} cannot take the version: {error}. Free space there or allow writing, then resume "
            "the run."
        ) from error


def publish_once(artifact: Path, store: Path, name: str, record: Path) -> int:
    """Publish and write into `record` where to; called again after a kill, return the version there already.

    Raises:
        PublishError: as by `publish`.
        TrainingError: `record` cannot be written.

    """
    if record.is_file():
        before = json.loads(record.read_text(encoding="utf-8"))
        if Path(before["store"], before["name"], str(before["version"])).is_dir():
            return int(before["version"])

    def note(number: int) -> None:
        where = {"store": str(store.absolute()), "name": name, "version": number}
        write_text_durably(record, json.dumps(where, indent=2) + "\n")

    return publish(artifact, store, name, announce=note)


def _check(artifact: Path, name: str) -> None:
    if not is_model_name(name):
        raise PublishError(f"A model's name must be {MODEL_NAME_RULE}; received {name!r}.")
    try:
        verify_manifest(artifact)
        contract = read_contract(artifact)
    except ContractError as error:
        raise PublishError(f"The artifact is not what was exported. {error} Export it again.") from error
    if contract.name != name:
        raise PublishError(
            f"The artifact's contract tells callers the name {contract.name!r}; received {name!r}. "
            "Publish it under its own name."
        )


def _remove_left_behind(folder: Path) -> None:
    for staging in folder.glob(
        f"{_STAGING}*"
    ):  # of killed publishers: whoever holds the lock is the only live one
        shutil.rmtree(staging)


def _publish(artifact: Path, folder: Path, announce: Callable[[int], None] | None) -> int:
    with _staged(folder) as staging:
        _copy(artifact, staging)
        verify_manifest(staging)
        number = _next_number(folder)
        _write_last(folder, number)
        if announce is not None:
            announce(number)
        staging.rename(folder / str(number))
    force_to_disk(folder)
    return number


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    staging = folder / f"{_STAGING}{uuid4().hex}"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # does nothing once it was renamed


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


def _next_number(folder: Path) -> int:
    # Every name of digits counts, also "007" and files: TensorFlow Serving takes it for version 7.
    present = (entry.name for entry in folder.iterdir())
    used = [int(name) for name in present if name.isascii() and name.isdigit()]
    return max([_read_last(folder), *used]) + 1


def _read_last(folder: Path) -> int:
    """Highest number ever given; 0 where none was recorded."""
    file = folder / _LAST_VERSION
    try:
        text = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return 0
    if not (text.isascii() and text.isdigit()):
        # The versions that are present do not tell: the highest may be deleted, and servers remember it.
        raise PublishError(
            f"{file} must hold the highest version number ever given; it holds {text[:40]!r}. Write "
            "that number into it: TensorFlow Serving ignores a version whose number it has seen before."
        )
    return int(text)


def _write_last(folder: Path, number: int) -> None:
    written = folder / f"{_LAST_VERSION}.new"
    written.write_text(f"{number}\n", encoding="utf-8")
    force_to_disk(written)
    written.replace(folder / _LAST_VERSION)
    force_to_disk(folder)
