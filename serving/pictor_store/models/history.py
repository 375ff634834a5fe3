"""A model's history: one file per event, created once and never changed. The last one tells the labels.

::

    <store>/<name>/.history/00000012.json      {"sequence": 12, "action": "promoted", "version": 4,
                                                "labels": {"stable": 4}, "versions": [3, 4], ...}

Order is the sequence's, never the clock's. Names that are no sequence are not ours and not read.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from pictor_store.errors import StoreError

HISTORY_FOLDER = ".history"

MAX_EVENT_BYTES = 1024 * 1024
"""A file larger than this is no event; the gateway reads it beside its work."""

LABEL_RULE = "letters, digits and '_', at most 64"

Action = Literal[
    "published", "labelled", "unlabelled", "promoted", "rolled_back", "failed", "pruned", "found"
]
"""`failed`: a promotion that was undone. `found`: a version that appeared without its event."""

_FILE = re.compile(r"([0-9]{8})\.json")
_LABEL = re.compile(r"[a-zA-Z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Event:
    """What was done to `version`, and all that holds from then on.

    `labels` are all labels after it, `versions` those that the history knows as present. `at_utc` is for
    people: no order is taken from it.
    """

    sequence: int
    at_utc: str
    action: Action
    version: int
    labels: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    by: str = ""
    versions: tuple[int, ...] = ()

    def written(self) -> bytes:
        """Return the file's content: readable JSON."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        return f"{text}\n".encode(
            "utf-8", "backslashreplace"
        )  # an undecodable letter becomes its JSON escape


def is_label(name: str) -> bool:
    """Whether TensorFlow Serving would take `name` for a version's label."""
    return _LABEL.fullmatch(name) is not None


def event_file(sequence: int) -> str:
    """Name the event's file."""
    return f"{sequence:08d}.json"


def sequence_of(name: str) -> int | None:
    """Return the number of the event in the file called `name`, None if it is not ours."""
    found = _FILE.fullmatch(name)
    return int(found[1]) if found else None


def read_labels(model_folder: Path) -> dict[str, int]:
    """Read the labels of a model's versions: one listing, one file. No labels without a history.

    Raises:
        StoreError: the folder is not there, or its last event cannot be read; the message names it. What was
            read before still holds then.
    """
    history = model_folder / HISTORY_FOLDER
    try:
        name = _last_name(history)
        if name is None:
            model_folder.stat()  # gone as a whole, as when a mount is lost: that says nothing of labels
            return {}
        with (history / name).open("rb") as file:
            content = file.read(MAX_EVENT_BYTES + 1)
    except OSError as error:
        raise StoreError(
            f"The labels of {model_folder.name} cannot be read: {error}. The folder must be readable."
        ) from error
    return parse_event(content, name, str(history / name)).labels


def _last_name(history: Path) -> str | None:
    try:
        with os.scandir(history) as entries:
            return max((entry.name for entry in entries if _FILE.fullmatch(entry.name)), default=None)
    except FileNotFoundError:
        if history.is_symlink():  # to a disk that is not mounted
            raise
        return None


def parse_event(content: bytes, name: str, where: str) -> Event:
    """Read the event in the file `name`; `where` is its whole path, for messages.

    Raises:
        StoreError: it is torn, empty, foreign, or written by a newer release.
    """
    try:
        event = _event(content)
        _check(event, sequence_of(name))
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(
            f"{where} cannot be read as an event: {error}. Use the release that wrote it, or restore the "
            "file; without it, what the event before says holds."
        ) from error
    return event


def _event(content: bytes) -> Event:
    if len(content) > MAX_EVENT_BYTES:
        raise ValueError(f"it has more than {MAX_EVENT_BYTES} bytes")
    data = json.loads(content)
    if not isinstance(data, dict):
        raise TypeError(f"it holds {type(data).__name__}, not an object")
    if unknown := sorted(set(data) - {one.name for one in fields(Event)}):
        raise ValueError(f"it has fields that this release does not know: {', '.join(unknown)}")
    return Event(**{**data, "versions": tuple(data.get("versions", ()))})


def _check(event: Event, sequence: int | None) -> None:
    if not _is_number(event.sequence) or event.sequence != sequence:
        raise ValueError(f"its sequence {event.sequence!r} is not its name's")
    if event.action not in get_args(Action):
        raise ValueError(f"this release does not know the action {event.action!r}")
    if not _is_number(event.version) or not all(map(_is_number, event.versions)):
        raise ValueError("a version is not a whole number")
    if not all(isinstance(text, str) for text in (event.at_utc, event.reason, event.by)):
        raise ValueError("at_utc, reason and by must be text")
    check_labels(event.labels)


def check_labels(labels: Mapping[str, Any]) -> None:
    """Refuse labels that TensorFlow Serving would not take.

    Raises:
        ValueError: the message says which.
    """
    if not isinstance(labels, dict):
        raise TypeError(f"labels must be an object; received {labels!r}")
    for label, version in labels.items():
        if not is_label(label):
            raise ValueError(f"a label must be {LABEL_RULE}; received {label!r}")
        if not _is_number(version):
            raise ValueError(f"the label {label} must name a version's number; received {version!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
