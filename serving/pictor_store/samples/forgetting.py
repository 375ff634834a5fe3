"""Delete pictures on request, with every copy of their content, so that nothing collects them again."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import TypeVar

from pictor_store.errors import SamplesError
from pictor_store.places import Place
from pictor_store.samples import layout
from pictor_store.samples.records import SCHEMA_VERSION, Sample, Trace, utc_text

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be forgotten: one of a subject's key, a sample's id and a content's SHA-256."""

    subject_key: str | None
    sample_id: str | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted. `digests` are the contents that nobody may collect again, also copies elsewhere."""

    digests: tuple[str, ...]
    pictures: int
    labels: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one id: whose picture it is, and its content."""

    id: str
    subject: str
    digest: str

    def meets(self, wish: Wish) -> bool:
        return (
            (wish.subject_key is not None and wish.subject_key == self.subject)
            or wish.sample_id == self.id
            or wish.digest == self.digest
        )


def forget(place: Place, wish: Wish) -> Forgotten:
    """Leave tombstones, then delete; who is killed in between, or repeats it, ends with the same.

    Raises:
        OSError: the place cannot be read or written.
    """
    found = [known for known in _all_known(place) if known.meets(wish)]
    digests = {known.digest for known in found} | ({wish.digest} if wish.digest is not None else set())
    ids = {known.id for known in found} | ({wish.sample_id} if wish.sample_id is not None else set())
    for digest in digests:
        _bury(place, digest)
    # Looked for anew: what was written before its tombstone stood is there now, and copies have other ids.
    groups = [
        group
        for group, known in _captured(place)
        if group.id in ids or (known is not None and known.digest in digests)
    ]
    ids |= {group.id for group in groups}
    labels = _remove_labels(place, ids)  # first: only the records know whose they are
    for group in groups:
        _remove(place, group)
    for sample_id, trace in _traces(place):
        if sample_id in ids or trace.sha256 in digests:
            place.remove(layout.trace_path(sample_id))
    return Forgotten(tuple(sorted(digests)), len(groups), labels)


def _remove(place: Place, group: layout.Group) -> None:
    """Delete a picture, then its record: whoever is killed in between finds the record again."""
    for path in group.pictures:
        place.remove(path)
    place.remove(group.record)


def _bury(place: Place, digest: str) -> None:
    stone = {"schema_version": SCHEMA_VERSION, "forgotten_utc": utc_text(time())}
    with suppress(FileExistsError):
        place.create(layout.tombstone_path(digest), json.dumps(stone).encode())


def _remove_labels(place: Place, ids: set[str]) -> int:
    removed = 0
    for model in layout.models_in(place):
        for sample_id in ids.intersection(layout.judged_in(place, model)):
            place.remove(layout.feedback_path(model, sample_id))
            removed += 1
    return removed


def _all_known(place: Place) -> Iterator[_Known]:
    for _, known in _captured(place):
        if known is not None:
            yield known
    for sample_id, trace in _traces(place):
        yield _Known(sample_id, trace.subject, trace.sha256)


def _captured(place: Place) -> Iterator[tuple[layout.Group, _Known | None]]:
    """Yield all that was captured; of a picture whose record is gone or damaged, the content is read."""
    for model in layout.models_in(place):
        for day in layout.days_in(place, model):
            for group in layout.groups_in(place, model, day):
                record = _read(place, group.record, Sample.from_json)
                if record is not None:
                    yield group, _Known(group.id, record.subject, record.sha256)
                else:
                    yield group, _bare(place, group)


def _bare(place: Place, group: layout.Group) -> _Known | None:
    for path in group.pictures:
        with suppress(FileNotFoundError):
            return _Known(group.id, "", sha256(place.read(path)).hexdigest())
    return None


def _traces(place: Place) -> Iterator[tuple[str, Trace]]:
    for sample_id in layout.traces_in(place):
        trace = _read(place, layout.trace_path(sample_id), Trace.from_json)
        if trace is not None:
            yield sample_id, trace


def _read(place: Place, path: str, read: Callable[[bytes], Made]) -> Made | None:
    try:
        return read(place.read(path))
    except (FileNotFoundError, IsADirectoryError, SamplesError):  # gone meanwhile, damaged or no file
        return None
