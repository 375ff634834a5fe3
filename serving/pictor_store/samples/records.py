"""What is kept of a captured picture and of its label, as JSON that is readable without us."""

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

from pictor_contract import is_model_name
from pictor_store.errors import SamplesError
from pictor_store.samples.layout import is_day, is_digest, is_id, is_suffix

SCHEMA_VERSION = 1

Reason = Literal["sampled", "uncertain"]
"""Why a picture was captured: by chance, or because the model was not certain of it."""

LABEL_SEPARATOR = "|"
"""Between several labels of one picture, as in a manifest."""


def utc_text(seconds: float) -> str:
    """Return a moment (seconds since 1970) as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def day_text(seconds: float) -> str:
    """Return the day of a moment, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Sample:
    """One captured picture, without its bytes.

    `day` is that of the prediction in UTC. `predicted` are the labels that counted as present, or the highest
    one; `scores` the highest few. `subject` is a salted hash of whose picture it is, "" if nobody said.
    """

    id: str
    model: str
    version: int
    day: str
    captured_utc: str
    reason: Reason
    suffix: str
    sha256: str
    format: str
    width: int
    height: int
    predicted: tuple[str, ...]
    scores: dict[str, float]
    subject: str

    def __post_init__(self) -> None:
        """Refuse what could not be a record of ours: names are made of it."""
        _require(
            is_id(self.id)
            and is_model_name(self.model)
            and is_day(self.day)
            and is_suffix(self.suffix)
            and is_digest(self.sha256)
            and self.reason in get_args(Reason)
            and _are_texts(self.predicted)
            and isinstance(self.subject, str)
        )

    def to_json(self) -> bytes:
        """Return readable JSON."""
        return _written(asdict(self))

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            SamplesError: it is damaged, or of another release.
        """
        return cls(**_read(content, {one.name for one in fields(cls)}))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a user says about one prediction.

    `day` is that of the prediction, under which its picture is, if it was captured. `predicted` is None where
    the version was not served any more and its labels were unknown.
    """

    id: str
    model: str
    version: int
    day: str
    judged_utc: str
    label: tuple[str, ...]
    predicted: tuple[str, ...] | None
    correct: bool

    def __post_init__(self) -> None:
        """Refuse what could not be a judgement of ours."""
        _require(
            is_id(self.id)
            and is_model_name(self.model)
            and is_day(self.day)
            and _are_texts(self.label)
            and (self.predicted is None or _are_texts(self.predicted))
        )

    def to_json(self) -> bytes:
        """Return readable JSON."""
        return _written(asdict(self))

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            SamplesError: it is damaged, or of another release.
        """
        return cls(**_read(content, {one.name for one in fields(cls)}))


@dataclass(frozen=True, slots=True)
class Trace:
    """What is left of a labelled picture that was deleted for its age: enough to find copies of it."""

    sha256: str
    subject: str

    def to_json(self) -> bytes:
        """Return readable JSON."""
        return _written(asdict(self))

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            SamplesError: it is damaged.
        """
        trace = cls(**_read(content, {one.name for one in fields(cls)}))
        _require(is_digest(trace.sha256) and isinstance(trace.subject, str))
        return trace


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A captured picture whose label a user gave; `Samples.content` reads the picture itself.

    The labels are as the folder has them, and whoever makes file names of them must check them first.
    """

    sample: Sample
    labels: tuple[str, ...]

    @property
    def label(self) -> str:
        """The label; several as a manifest writes them, "" for none of those the model knows."""
        return LABEL_SEPARATOR.join(self.labels)


def _written(data: dict[str, Any]) -> bytes:
    return json.dumps({"schema_version": SCHEMA_VERSION, **data}, indent=2, ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def _read(content: bytes, known: set[str]) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SamplesError(f"A record is not JSON ({error}).") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise SamplesError(f"A record's schema_version must be {SCHEMA_VERSION}; received {version!r}.")
    if missing := known - set(data):
        raise SamplesError(f"A record lacks {', '.join(sorted(missing))}.")
    # Members of a later release are passed over.
    return {name: tuple(v) if isinstance(v := data[name], list) else v for name in known}


def _require(holds: bool) -> None:
    if not holds:
        raise SamplesError("A record has a member that no record of ours has.")


def _are_texts(labels: object) -> bool:
    return isinstance(labels, tuple) and all(isinstance(label, str) for label in labels)
