"""What the job remembers from one night to the next, and the lock that keeps two jobs of one model apart.

::

    <runs>/.retrain-<name>.lock        held by the job; the kernel drops it with the process
    <runs>/.retrain-<name>/state.json  the run under way, and what was judged last
                           ledger.json every run that came to a verdict, in order
                           known.csv   how each picture stands: see `collecting.known`
                           forgotten.txt what must not be learnt from: see `collecting.forgotten`
                           digests.json which content each file has
                           quarantine.csv what is left out at present
                           champions/  copies of versions in object storage, while a job runs
    <runs>/collected/<name>/<label>/   copies of captured pictures with feedback
    <runs>/<run>/                      a run; the state tells which is the latest, not its name

Every file is replaced as a whole. Order is the ledger's sequence; times are for people.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from pictor_store.clock import now_utc
from pictor_training.durable import write_text_durably
from pictor_training.errors import Locked, TrainingError


@dataclass(frozen=True, slots=True)
class Question:
    """What a run is to settle: equal questions have equal answers.

    Digests of the pictures with their labels, of what decides the training, and of the gate's limits; and the
    champion it is about, None at first.
    """

    pictures: str
    training: str
    gate: str
    champion: int | None


@dataclass(frozen=True, slots=True)
class Underway:
    """A run that was begun and has no verdict yet; `failures` counts how often it ended in an error."""

    run: str
    question: Question
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """The last run that came to a verdict."""

    run: str
    question: Question
    decision: str
    version: int | None


@dataclass(frozen=True, slots=True)
class State:
    """Where the job stands."""

    underway: Underway | None = None
    judged: Judged | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `asdict` wrote."""
        underway, judged = data["underway"], data["judged"]
        return cls(
            None if underway is None else Underway(**_with_question(underway)),
            None if judged is None else Judged(**_with_question(judged)),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A run's line in the ledger. `contents` is its list of pictures, a path below the runs' folder.

    `pictures` and `training` are the question's, `recalls` are (right, held out) by label, of the challenger.
    """

    sequence: int
    at_utc: str
    run: str
    decision: str
    reasons: tuple[str, ...]
    version: int | None
    label: str | None
    champion: int | None
    pictures: str
    training: str
    contents: str
    recalls: dict[str, tuple[int, int]]


class Memory:
    """The job's files of one model."""

    def __init__(self, runs: Path, name: str) -> None:
        self.runs = runs
        self._name = name
        folder = runs / f".retrain-{name}"
        self._state, self._ledger = folder / "state.json", folder / "ledger.json"
        self.known, self.digests = folder / "known.csv", folder / "digests.json"
        self.forgotten = folder / "forgotten.txt"
        self.quarantine, self._holder = folder / "quarantine.csv", folder / "holder.json"
        self.champions = folder / "champions"
        self.collected = runs / "collected" / name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only job of this model; who is not ends at once.

        Raises:
            Locked: another one is at work; the message says who.
            TrainingError: the folder of runs cannot be written.
        """
        file = self.runs / f".retrain-{self._name}.lock"
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file, blocking=False).acquire()
        except Timeout as error:
            raise Locked(
                f"Another job is retraining {self._name} ({self._told_holder()}); it holds {file}. "
                "Wait for it, or stop it."
            ) from error
        except OSError as error:
            raise TrainingError(
                f"{self.runs} cannot be written: {error.strerror}. Allow writing there."
            ) from error
        with lock:
            holder = {"process": os.getpid(), "host": socket.gethostname(), "since_utc": now_utc()}
            write_text_durably(self._holder, json.dumps(holder) + "\n")
            yield

    def state(self) -> State:
        """Return where the job stands; at first there is nothing.

        Raises:
            TrainingError: the file is damaged.
        """
        data = _read(self._state)
        if data is None:
            return State()
        try:
            return State.from_dict(data)
        except (KeyError, TypeError) as error:
            raise _unreadable(self._state, error) from error

    def write_state(self, state: State) -> None:
        """Replace it.

        Raises:
            TrainingError: the disk is full, or the folder cannot be written.
        """
        write_text_durably(self._state, json.dumps(asdict(state), indent=2) + "\n")

    def ledger(self) -> list[Entry]:
        """Return every entry, the oldest first.

        Raises:
            TrainingError: the file is damaged.
        """
        data = _read(self._ledger)
        try:
            entries = [] if data is None else data["entries"]
            return [
                Entry(**{**entry, "reasons": tuple(entry["reasons"]), "recalls": _recalls(entry["recalls"])})
                for entry in entries
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(self._ledger, error) from error

    def append(self, entry: Entry) -> None:
        """Add an entry with the next sequence number, unless its run has one already.

        Raises:
            TrainingError: the ledger is damaged, or cannot be written.
        """
        entries = self.ledger()
        if any(one.run == entry.run for one in entries):
            return
        last = entries[-1].sequence if entries else 0
        written = [*map(asdict, entries), {**asdict(entry), "sequence": last + 1}]
        write_text_durably(
            self._ledger, json.dumps({"entries": written}, indent=1, ensure_ascii=False) + "\n"
        )

    def _told_holder(self) -> str:
        """Name the holder as far as it can be read: locked is locked, whoever it is."""
        try:
            data = _read(self._holder) or {}
        except TrainingError:
            data = {}
        told = [f"{key} {data[key]}" for key in ("process", "host", "since_utc") if key in data]
        return ", ".join(told) or "which one is not known"


def _with_question(section: Mapping[str, Any]) -> dict[str, Any]:
    return {**section, "question": Question(**section["question"])}


def _recalls(data: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {label: (int(right), int(count)) for label, (right, count) in data.items()}


def _read(file: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    if not isinstance(data, dict):
        raise _unreadable(file, TypeError(f"it holds {type(data).__name__}"))
    return data


def _unreadable(file: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"{file} cannot be read: {error!r}. It is the job's memory: put back a copy of it, or remove the "
        "file; then the job begins anew with the store as it is."
    )
