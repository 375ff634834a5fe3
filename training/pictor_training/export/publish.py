"""A finished artifact into the store, as training asks for it and in training's own errors."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pictor_store.errors import StoreError
from pictor_store.models.store import LOCK_WAIT_S, open_store
from pictor_store.places import is_url
from pictor_training.durable import write_text_durably
from pictor_training.errors import PublishError


@dataclass(frozen=True, slots=True)
class Record:
    """Which version a run becomes."""

    store: str
    name: str
    version: int


def check_store(store: str | Path, name: str) -> None:
    """Refuse a store that could not take a version of `name`, before hours are spent on one; nothing is made.

    Raises:
        PublishError: it cannot be written, or is no folder; object storage cannot be read.

    """
    try:
        if is_url(store):
            open_store(store).model(name).last_event()
            return
        folder = Path(store) / name
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except StoreError as error:
        raise PublishError(f"{store} cannot be a store: {error} Say --models.") from error
    except OSError as error:
        raise PublishError(f"{store} cannot be a store: {error.strerror}. Say --models.") from error
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "cannot be written" if there.is_dir() else "is a file, not a folder"
        raise PublishError(f"{store} cannot be a store: {there} {reason}. Say --models, or --no-publish.")


def publish(
    artifact: Path,
    store: str | Path,
    name: str,
    *,
    announce: Callable[[int], None] | None = None,
    lock_timeout_s: float = LOCK_WAIT_S,
) -> int:
    """Copy `artifact` into `store` as the next version of `name`; return its number.

    It may be killed at any point: the store then holds the whole version or none, and the next call goes on.
    `announce` is told the number just before the version appears: whoever notes it down can tell after a kill
    whether it did appear, as no number is given twice.

    Raises:
        PublishError: the name or the artifact is refused, another process holds the lock too long, or the
            store cannot be written (full, read-only). No reader saw half a version.

    """
    try:
        return (
            open_store(store)
            .model(name)
            .publish(artifact, announce=announce, by="pictor train", wait_s=lock_timeout_s)
        )
    except StoreError as error:
        raise PublishError(str(error)) from error


def publish_once(artifact: Path, store: str | Path, name: str, record: Path) -> int:
    """Publish and write into `record` where to; called again after a kill, return the version there already.

    Raises:
        PublishError: as by `publish`, or `record` is damaged.
        TrainingError: `record` cannot be written.

    """
    before = read_record(record)
    if before is not None and _is_there(before):
        return before.version
    return publish(
        artifact,
        store,
        name,
        announce=lambda number: write_record(record, Record(_absolute(store), name, number)),
    )


def read_record(file: Path) -> Record | None:
    """Return what `write_record` wrote; None where nothing was published yet.

    Raises:
        PublishError: it cannot be read.

    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return _record(data["store"], data["name"], data["version"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise PublishError(
            f"{file} cannot be read: {error!r}. It tells which version this run became. Put a copy of it "
            "back; or, if the store has no version of this run (`pictor models show`), remove it."
        ) from error


def _record(store: object, name: object, version: object) -> Record:
    if isinstance(store, str) and isinstance(name, str) and isinstance(version, int) and version > 0:
        return Record(store, name, version)
    raise TypeError(f"version {version!r} of {name!r} in {store!r}")


def write_record(file: Path, record: Record) -> None:
    """Replace the file.

    Raises:
        TrainingError: it cannot be written.

    """
    write_text_durably(file, json.dumps(asdict(record), indent=2) + "\n")


def _is_there(record: Record) -> bool:
    try:
        return record.version in open_store(record.store).model(record.name).versions()
    except StoreError as error:
        raise PublishError(str(error)) from error


def _absolute(store: str | Path) -> str:
    return str(store) if is_url(store) else str(Path(store).absolute())
