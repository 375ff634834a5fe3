"""One model of a store: what it has, and the only ways to change it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pictor_contract import ImageContract
from pictor_store.clock import now_utc
from pictor_store.errors import ChangeRefused, StoreError, VersionDamaged, VersionMissing
from pictor_store.models.artifact import check_artifact
from pictor_store.models.folder_versions import FolderVersions
from pictor_store.models.history import Action, Event, check_labels
from pictor_store.models.log import History, log
from pictor_store.models.model_lock import ModelLock
from pictor_store.models.object_versions import ObjectVersions
from pictor_store.models.reported import WRITE_ADVICE, reported
from pictor_store.models.versions import Announce, Versions
from pictor_store.places import FolderPlace, Place

LOCK_WAIT_S = 60.0
"""Seconds to wait for another process that changes the same model."""


class StoredModel:
    """What is read writes nothing. Every method raises StoreError if the store cannot be read or written."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._history = History(place, name)
        self._versions: Versions = (
            FolderVersions(place, name) if isinstance(place, FolderPlace) else ObjectVersions(place, name)
        )
        self._lock = ModelLock(place, name)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def place(self) -> Place:
        """Where the store is, with all its models."""
        return self._place

    @property
    def where(self) -> str:
        """The model's folder or URL, for messages."""
        return f"{self._place.where}/{self._name}"

    def versions(self) -> list[int]:
        """Complete versions, rising."""
        with reported(f"{self.where} cannot be read"):
            return self._versions.numbers()

    def contract(self, version: int) -> ImageContract:
        """Read a version's contract.

        Raises:
            VersionMissing: there is no such version.
            VersionDamaged: the contract cannot be read.
        """
        self._require(version)
        with reported(f"{self.where}/{version} cannot be read"):
            return self._versions.contract(version)

    def folder(self, version: int) -> Path | None:
        """Return where a version would lie on this machine; None in object storage."""
        return self._versions.folder(version)

    def fetch(self, version: int, into: Path) -> Path:
        """Return a local folder with the version: its own, or a whole copy below `into`.

        Raises:
            VersionMissing: there is no such version.
            VersionDamaged: what was downloaded is not what was published.
        """
        self._require(version)
        with reported(f"{self.where}/{version} cannot be fetched"):
            return self._versions.fetch(version, into)

    def verify(self, version: int) -> None:
        """Compare every file of a version with its manifest.

        Raises:
            VersionMissing: there is no such version.
            VersionDamaged: a file is missing, extra or changed.
        """
        self._require(version)
        with reported(f"{self.where}/{version} cannot be read"):
            self._versions.verify(version)

    def history(self) -> list[Event]:
        """Return all events, rising; damaged ones before the last are left out, with a line in the log.

        Raises:
            StoreError: the last one cannot be read.
        """
        with reported(f"{self.where} cannot be read"):
            return self._history.events()

    def last_event(self) -> Event | None:
        """Return the event that tells what holds now, at the cost of one file.

        Raises:
            StoreError: it cannot be read.
        """
        with reported(f"{self.where} cannot be read"):
            return self._history.last()

    def labels(self) -> dict[str, int]:
        """Return which version each label names: what the last event says.

        Raises:
            StoreError: the last event cannot be read.
        """
        last = self.last_event()
        return dict(last.labels) if last else {}

    @contextmanager
    def lock(self, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        """Be the only one who changes the model; with the same object, a thread may take it again.

        Raises:
            VersionMissing: there is no such model.
            StoreLocked: another process held it all the time.
        """
        with reported(f"{self.where} cannot be read"):
            if not self._lock.mine and not self._place.exists(self._name):
                raise VersionMissing(f"There is no model {self._name} in {self._place.where}.")
        with self._lock.hold(wait_s):
            yield

    def record(
        self,
        action: Action,
        version: int,
        labels: Mapping[str, int] | None = None,
        reason: str = "",
        by: str = "",
        *,
        expected: int | None = None,
    ) -> Event:
        """Create the next event; from then on `labels` are all the model's labels (None: as they are).

        With `expected`, only if the last event still has that sequence (0: there is none). New labels without
        it count on the event that is the last when this is called. If it raises, nothing has changed.

        Raises:
            ChangeRefused: a label has no possible name, or another process was faster.
            VersionMissing: a label is to name a version that is not there.
        """
        with reported(f"{self.where} cannot be changed", WRITE_ADVICE):
            self._lock.check()
            if labels is not None and expected is None:
                last = self._history.last()
                expected = last.sequence if last else 0

            def made(last: Event | None, sequence: int) -> Event:
                before = dict(last.labels) if last else {}
                after = before if labels is None else dict(labels)
                self._check_labels(before, after)
                known = _known(last, action, version)
                return Event(sequence, now_utc(), action, version, after, reason, by, known)

            return self._history.append(made, expected)

    def publish(
        self,
        artifact: Path,
        *,
        announce: Announce | None = None,
        reason: str = "",
        by: str = "",
        wait_s: float = LOCK_WAIT_S,
    ) -> int:
        """Copy `artifact` into the store as the next version, record it, and return its number.

        It may be killed at any point: the store then has the whole version or none; the next call goes on.
        `announce` is told the number just before the version appears: whoever notes it down can tell after a
        kill whether it did appear, as no number is given twice. Labels stay as they are.

        Raises:
            VersionDamaged: the artifact is not what was exported.
            ChangeRefused: it is another model's.
            StoreLocked: another process held the lock all the time.
            StoreError: the store cannot be written (full, read-only). No reader saw half a version.
        """
        check_artifact(artifact, self._name)
        with self._lock.hold(wait_s):
            self.recover()
            with reported(f"{self.where} cannot take the version", WRITE_ADVICE):
                number = self._versions.bring(artifact, announce, self._lock.check)
            try:
                self.record("published", number, reason=reason, by=by)
            except StoreError as error:  # the version is there: to say it is not would publish it twice
                log.warning("not recorded yet", extra={"fields": {"version": number, "reason": str(error)}})
        return number

    def remove(self, version: int) -> None:
        """Take a version away; to every reader it disappears at once. Record "pruned" afterwards.

        Raises:
            VersionMissing: there is no such version.
            ChangeRefused: a label names it.
        """
        with self.lock():
            self._require(version)
            if named := sorted(label for label, labelled in self.labels().items() if labelled == version):
                raise ChangeRefused(
                    f"{self.where}/{version} is {' and '.join(named)}. Move the label to another version."
                )
            with reported(f"{self.where}/{version} cannot be removed", WRITE_ADVICE):
                self._versions.remove(version)

    def recover(self) -> list[Event]:
        """Finish what killed processes left, under the lock: half copies go, the history catches up.

        A whole version that it does not know is recorded as "found", one that is gone as "pruned"; labels
        stay. Returns what was recorded.

        Raises:
            StoreError: the last event cannot be read; nothing was recorded.
        """
        with self.lock():
            last = self.last_event()
            known = set(last.versions) if last else set()
            with reported(f"{self.where} cannot be cleaned up", WRITE_ADVICE):
                self._versions.sweep()
                if last and not self._versions.highest_given():  # the record is lost, the history is not
                    self._versions.note_given(max(event.version for event in self._history.events()))
            present = set(self.versions())
            found = [version for version in sorted(present - known) if self._is_whole(version)]
            with reported(f"{self.where} cannot be changed", WRITE_ADVICE):
                self._versions.note_given(max(found, default=0))
            return [
                *(self.record("found", version, reason="it was there without an event") for version in found),
                *(
                    self.record("pruned", version, reason="it was gone")
                    for version in sorted(known - present)
                ),
            ]

    def _require(self, version: int) -> None:
        present = self.versions()
        if version not in present:
            there = ", ".join(map(str, present)) or "none"
            raise VersionMissing(f"{self.where} has no version {version}. There are: {there}.")

    def _is_whole(self, version: int) -> bool:
        try:
            self.verify(version)
        except VersionDamaged as error:  # somebody is still copying it, or it is broken
            log.warning("version left out", extra={"fields": {"version": version, "reason": str(error)}})
            return False
        return True

    def _check_labels(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        try:
            check_labels(after)
        except (ValueError, TypeError) as error:
            raise ChangeRefused(f"{self.where}: {error}.") from error
        for label, version in after.items():
            if before.get(label) != version:
                self._require(version)


def _known(last: Event | None, action: Action, version: int) -> tuple[int, ...]:
    """Versions that the history knows as present after the event."""
    known = set(last.versions) if last else set()
    if action in {"published", "found"}:
        known.add(version)
    elif action == "pruned":
        known.discard(version)
    return tuple(sorted(known))
