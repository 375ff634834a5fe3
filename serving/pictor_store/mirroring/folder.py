"""The folder that a store is mirrored into.

::

    <into>/models.config             for TensorFlow Serving, if asked for
           .mirror                   which store this is a copy of; with models and without it, it is none
           .mirror.lock              held by the one process that may change it
           <name>/<number>/          a version: appears in one rename, whole and proven
                  .mirroring-<n>/    a version on its way; not a number, so no reader takes it
                  .removed-<id>/     a version that was taken away in one rename
                  .history/          the store's events, for gateways that follow labels
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pictor_contract import is_model_name
from pictor_contract.artifact import MANIFEST_FILE
from pictor_store.durable import force_to_disk, is_beside
from pictor_store.errors import ChangeRefused, StoreError, VersionDamaged
from pictor_store.mirroring.fetch import stage
from pictor_store.mirroring.seen import Seen
from pictor_store.models.folder_versions import FolderVersions
from pictor_store.models.history import HISTORY_FOLDER, Event, event_file, parse_event, sequence_of
from pictor_store.models.reported import WRITE_ADVICE, reported
from pictor_store.places import FolderPlace, Place

_MARK: Final = ".mirror"
_LOCK: Final = ".mirror.lock"
_STAGING: Final = ".mirroring-"


@dataclass(frozen=True, slots=True)
class Brought:
    """Whether versions or labels are new here, and which versions without a label could not be had."""

    changed: bool
    troubles: tuple[str, ...] = ()


class MirrorFolder:
    """A copy of what is to be served of a store; whoever changes it holds `mine`.

    `max_bytes` bounds all that is in it. What fails raises OSError, or StoreError.
    """

    def __init__(self, into: Path, max_bytes: int | None = None) -> None:
        self.place = FolderPlace(into)
        self._into = into
        self._max_bytes = max_bytes

    @contextmanager
    def mine(self, source: str, wait_s: float) -> Iterator[None]:
        """Be the only one who changes it, as the mirror of `source`.

        Raises:
            ChangeRefused: it is no mirror, or another store's: versions in it could be deleted.
            StoreLocked: another process was it all the time.
        """
        with ExitStack() as stack:
            with reported(f"{self._into} cannot be a mirror", WRITE_ADVICE):
                self._refuse_others(source)  # before a lock is left in what is somebody's store
                stack.enter_context(self.place.lock(_LOCK, wait_s))
                self._refuse_others(source)  # it may be another's mirror since the lock was waited for
                if not self.place.exists(_MARK):
                    self.place.write(_MARK, _mark(source))
            yield

    def names(self) -> list[str]:
        """Return the models that have a version here."""
        return [name for name in self.place.names() if is_model_name(name) and self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """Return the versions of a model, rising."""
        return self._versions(name).numbers()

    def events(self, name: str) -> dict[int, Event]:
        """Return the events of a model that can be read, by their sequence."""
        found = {}
        for file in self.place.names(f"{name}/{HISTORY_FOLDER}"):
            sequence = sequence_of(file)
            if sequence is not None:
                try:
                    found[sequence] = parse_event(self._event(name, file), file, file)
                except StoreError:  # torn by whom ever: it is written anew
                    continue
        return found

    def bring(self, source: Place, seen: Seen) -> Brought:
        """Have all versions that are wanted, and the history.

        Each step leaves what a server and a gateway may read: until all is here, they see what was before.

        Raises:
            VersionDamaged: a version with a label is not what was published, or not what is here under its
                number. Without one it is left out, and told.
        """
        name, here, before = seen.name, set(self.versions(seen.name)), self._labels(seen.name)
        self._sweep(name, set(seen.wanted) - here)
        ready, troubles = [], []
        for version in seen.wanted:
            try:
                if self._prepare(source, name, version, is_here=version in here):
                    ready.append(version)
            except (StoreError, OSError) as error:
                if version in seen.needed:
                    raise
                troubles.append(f"{error} No label names it: it is left out.")
        # Without a history the newest would answer everything; with one, labels wait for their versions.
        if not here:
            self._write_history(name, seen.events)
        for version in ready:
            self._staging(name, version).rename(self._into / name / str(version))
            force_to_disk(self._into / name)
        self._write_history(name, seen.events)
        return Brought(bool(ready) or self._labels(name) != before, tuple(troubles))

    def remove(self, name: str, version: int) -> None:
        """Take a version away; to every reader it disappears at once."""
        self._versions(name).remove(version)

    def _prepare(self, source: Place, name: str, version: int, *, is_here: bool) -> bool:
        """Have a version whole beside where it will be; return False if it is there already."""
        at = f"{name}/{version}"
        if not is_here:
            stage(source, at, self._staging(name, version), self._check_room)
        elif source.read(f"{at}/{MANIFEST_FILE}") != self.place.read(f"{at}/{MANIFEST_FILE}"):
            raise VersionDamaged(
                f"{source.where}/{at} is another model than the one that was mirrored under this number, "
                "which no server would notice. Publish it again, or begin with an empty folder."
            )
        return not is_here

    def _refuse_others(self, source: str) -> None:
        if self.place.exists(_MARK):
            if (told := self.place.read(_MARK)) != _mark(source):
                mirrored = told.decode("utf-8", "replace").strip()
                raise ChangeRefused(f"{self._into} mirrors {mirrored}, not {source}. Name an empty folder.")
        elif models := self.names():
            raise ChangeRefused(
                f"{self._into} has models ({', '.join(models)}) and is no mirror. Name a folder of its "
                "own: in a mirror, versions that are not served are deleted."
            )

    def _versions(self, name: str) -> FolderVersions:
        return FolderVersions(self.place, name)

    def _staging(self, name: str, version: int) -> Path:
        return self._into / name / f"{_STAGING}{version}"

    def _sweep(self, name: str, coming: set[int]) -> None:
        """Remove what killed runs left, but for what is `coming`."""
        self._versions(name).sweep()
        keep = {self._staging(name, version) for version in coming}
        for left in (self._into / name).glob(f"{_STAGING}*"):
            if left not in keep:
                shutil.rmtree(left)
        for left in self._into.glob(".*"):
            if is_beside(left.name):
                left.unlink(missing_ok=True)

    def _check_room(self, what: str, more: int) -> None:
        if self._max_bytes is None:
            return
        used = sum(one.size for one in self.place.files())
        if used + more > self._max_bytes:
            raise StoreError(
                f"{what} needs {more} bytes more; {self._into} has {used} and may have {self._max_bytes} "
                "(--max-bytes). Allow more, or serve fewer versions."
            )

    def _write_history(self, name: str, events: Sequence[Event]) -> None:
        """Copy the events, the last one last: it tells the labels."""
        folder = f"{name}/{HISTORY_FOLDER}"
        files = {event_file(event.sequence): event.written() for event in events}
        for file, content in files.items():
            if self._event(name, file) != content:
                self.place.write(f"{folder}/{file}", content)
        for file in self.place.names(folder):
            if file not in files:  # of a history that was begun anew, or was damaged meanwhile
                self.place.remove(f"{folder}/{file}")

    def _labels(self, name: str) -> dict[str, int]:
        events = self.events(name)
        return events[max(events)].labels if events else {}

    def _event(self, name: str, file: str) -> bytes:
        try:
            return self.place.read(f"{name}/{HISTORY_FOLDER}/{file}")
        except FileNotFoundError:
            return b""


def _mark(source: str) -> bytes:
    return f"{source}\n".encode()
