"""Where captured pictures and their labels lie. Every name that is not of this form is somebody else's.

::

    <place>/<model>/<YYYY-MM-DD>/<id>.json     one record: what the model answered, and when
    <place>/<model>/<YYYY-MM-DD>/<id>.<ext>    its picture, as it was sent; there before the record
    <place>/<model>/feedback/<id>.json         its label, as a user gave it
    <place>/.salt                              makes the subjects' keys; without it none can be found again
    <place>/.forgotten/<sha256>.json           a picture that nobody may collect again
    <place>/.traces/<id>.json                  what a labelled picture was, once it is deleted for its age

The id is random and ours: nothing that a client sends becomes part of a name.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pictor_contract import is_model_name
from pictor_store.places import FileFacts, Place

SALT = ".salt"
FEEDBACK = "feedback"
ID_BYTES = 12

_FORGOTTEN = ".forgotten"
_TRACES = ".traces"
_RECORD_SUFFIX = "json"
_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SUFFIX = re.compile(r"[a-z0-9]{1,8}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ID_LETTERS = ID_BYTES * 4 // 3
_TO_STANDARD = str.maketrans("-_", "+/")


def is_id(text: object) -> bool:
    """Whether it is a sample's id: 24 hexadecimal digits."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def is_suffix(text: object) -> bool:
    """Whether it can end a picture's name."""
    return isinstance(text, str) and _SUFFIX.fullmatch(text) is not None and text != _RECORD_SUFFIX


def is_day(text: object) -> bool:
    """Whether it is a day that a calendar has, as YYYY-MM-DD."""
    return isinstance(text, str) and _DAY.fullmatch(text) is not None and day_of(text) is not None


def day_of(text: str) -> date | None:
    """Return the day of that name, if there is one."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def id_of(prediction_id: str) -> str | None:
    """Return the sample's id that a prediction id begins with (or is); None if it can be neither."""
    text = prediction_id.strip()
    if is_id(text):
        return text
    try:
        random = binascii.a2b_base64(text[:_ID_LETTERS].translate(_TO_STANDARD), strict_mode=True)
    except (ValueError, binascii.Error):  # the first for letters outside ASCII
        return None
    return random.hex() if len(random) == ID_BYTES else None


def record_path(model: str, day: str, sample_id: str) -> str:
    """Return where a record is."""
    return f"{model}/{day}/{sample_id}.{_RECORD_SUFFIX}"


def picture_path(model: str, day: str, sample_id: str, suffix: str) -> str:
    """Return where a picture is."""
    return f"{model}/{day}/{sample_id}.{suffix}"


def feedback_path(model: str, sample_id: str) -> str:
    """Return where a label is."""
    return f"{model}/{FEEDBACK}/{sample_id}.{_RECORD_SUFFIX}"


def tombstone_path(digest: str) -> str:
    """Return where it stands that a content is forgotten."""
    return f"{_FORGOTTEN}/{digest}.{_RECORD_SUFFIX}"


def trace_path(sample_id: str) -> str:
    """Return where the trace of a deleted picture is."""
    return f"{_TRACES}/{sample_id}.{_RECORD_SUFFIX}"


def models_in(place: Place) -> list[str]:
    """Return the models of which something may be there."""
    return [name for name in place.names() if is_model_name(name)]


def days_in(place: Place, model: str) -> list[str]:
    """Return the days on which pictures were captured, oldest first."""
    return [name for name in place.names(model) if is_day(name)]


def judged_in(place: Place, model: str) -> list[str]:
    """Return the ids that have a label."""
    return [stem for stem in _stems(place.names(f"{model}/{FEEDBACK}")) if is_id(stem)]


def forgotten_in(place: Place) -> frozenset[str]:
    """Return the contents that are forgotten."""
    return frozenset(stem for stem in _stems(place.names(_FORGOTTEN)) if is_digest(stem))


def traces_in(place: Place) -> list[str]:
    """Return the ids of which a trace is left."""
    return [stem for stem in _stems(place.names(_TRACES)) if is_id(stem)]


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one id on one day: a record, a picture, or both."""

    model: str
    day: str
    id: str
    files: tuple[FileFacts, ...]

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(file.size for file in self.files)

    @property
    def written_s(self) -> float:
        """When the last of them was written, by the place's own clock."""
        return max(file.written_s for file in self.files)

    @property
    def record(self) -> str:
        """Where the record is, or would be."""
        return record_path(self.model, self.day, self.id)

    @property
    def has_record(self) -> bool:
        """Whether the record is there."""
        return any(file.path == self.record for file in self.files)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Where the picture is: of several suffixes if two writers had the same id."""
        return tuple(file.path for file in self.files if file.path != self.record)


def groups_in(place: Place, model: str, day: str) -> Iterator[Group]:
    """Yield what is there of one day, sorted by id."""
    found: dict[str, list[FileFacts]] = {}
    for file in place.files(f"{model}/{day}"):
        stem, _, suffix = file.path.removeprefix(f"{model}/{day}/").partition(".")
        if is_id(stem) and (is_suffix(suffix) or suffix == _RECORD_SUFFIX):
            found.setdefault(stem, []).append(file)
    for sample_id, files in sorted(found.items()):
        yield Group(model, day, sample_id, tuple(files))


def _stems(names: list[str]) -> Iterator[str]:
    end = f".{_RECORD_SUFFIX}"
    return (name.removesuffix(end) for name in names if name.endswith(end))
