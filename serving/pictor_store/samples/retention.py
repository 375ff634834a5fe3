"""Delete what is too old or too much: our own files only, oldest first, a day at a time."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from pictor_store.clock import DAY_S
from pictor_store.durable import is_beside
from pictor_store.errors import SamplesError
from pictor_store.places import Place
from pictor_store.samples import layout
from pictor_store.samples.records import Judgement, Sample, Trace

_LEFTOVER_S = 3_600.0
"""Seconds after which what is not finished belongs to a writer that was killed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay; None for no limit. `most_days`: of each model, how many days age may empty at once."""

    max_age_days: float | None
    max_bytes: int | None
    most_days: int | None


@dataclass(frozen=True, slots=True)
class Swept:
    """Pictures and bytes that were deleted, and the bytes that are left."""

    pictures: int
    bytes: int
    bytes_left: int


def sweep(place: Place, limits: Limits, now_s: float, goes_on: Callable[[], bool]) -> Swept:
    """Delete by age, then by size. `goes_on` is asked before each deletion and each day.

    Raises:
        OSError: the place cannot be read or written.
    """
    sweeping = _Sweep(place, limits, now_s, goes_on)
    days = sorted((day, model) for model in layout.models_in(place) for day in layout.days_in(place, model))
    for day, model in days:
        sweeping.by_age(model, day)
    if limits.max_bytes is not None:
        for day, model in days:
            sweeping.by_size(model, day, limits.max_bytes)
    for model in layout.models_in(place):
        sweeping.labels_alone(model)
    return Swept(sweeping.pictures, sweeping.bytes, sweeping.left)


@dataclass(slots=True)
class _Sweep:
    """One sweep under way. Of the groups of files, only one day's are in memory."""

    place: Place
    limits: Limits
    now_s: float
    goes_on: Callable[[], bool]
    pictures: int = 0
    bytes: int = 0
    left: int = 0
    _days: dict[str, int] = field(default_factory=dict)
    _judged: dict[str, frozenset[str]] = field(default_factory=dict)

    def by_age(self, model: str, day: str) -> None:
        """Delete what is too old of a day, or was never finished, and count the rest."""
        if not self.goes_on():
            return
        self._drop_leftovers(model, day)
        may_expire = self._is_past(day) and self._may_empty_one_more(model)
        expired = False
        for group in layout.groups_in(self.place, model, day):
            old = may_expire and self._is_too_old(group.written_s)
            if (old or self._is_abandoned(group)) and self.goes_on():
                expired |= old
                self._remove(group)
            else:
                self.left += group.size
        if expired:
            self._days[model] = self._days.get(model, 0) + 1
            self._remove_empty(model, day)

    def by_size(self, model: str, day: str, max_bytes: int) -> None:
        """Delete the oldest of a day until the rest of all days is small enough."""
        if self.left <= max_bytes or not self.goes_on():
            return
        groups = sorted(
            layout.groups_in(self.place, model, day), key=lambda group: (group.written_s, group.id)
        )
        for group in groups:
            if self.left <= max_bytes or not self.goes_on():
                return
            self._remove(group)
            self.left -= group.size
        self._remove_empty(model, day)

    def labels_alone(self, model: str) -> None:
        """Delete labels that are too old and have no picture."""
        if self.limits.max_age_days is None:
            return
        for file in self.place.files(f"{model}/{layout.FEEDBACK}"):
            if not (self._is_too_old(file.written_s) and self.goes_on()):
                continue
            with suppress(FileNotFoundError, SamplesError):
                judgement = Judgement.from_json(self.place.read(file.path))
                ours = file.path == layout.feedback_path(model, judgement.id)
                record = layout.record_path(model, judgement.day, judgement.id)
                if ours and not self.place.exists(record):
                    self.place.remove(file.path)

    def _remove(self, group: layout.Group) -> None:
        for path in group.pictures:  # first: on a full disk, the trace needs the room
            self.place.remove(path)
        if group.id in self._judged_of(group.model):
            self._leave_trace(group)
            self.place.remove(layout.feedback_path(group.model, group.id))
        self.place.remove(group.record)
        self.pictures += 1
        self.bytes += group.size

    def _leave_trace(self, group: layout.Group) -> None:
        """Note the content of what may have been collected: or nobody could ask for it to be forgotten.

        The record goes last, so that a sweep that ends here is taken up by the next one.
        """
        with suppress(FileNotFoundError, SamplesError):
            sample = Sample.from_json(self.place.read(group.record))
            self.place.write(layout.trace_path(group.id), Trace(sample.sha256, sample.subject).to_json())

    def _judged_of(self, model: str) -> frozenset[str]:
        if model not in self._judged:
            self._judged[model] = frozenset(layout.judged_in(self.place, model))
        return self._judged[model]

    def _may_empty_one_more(self, model: str) -> bool:
        most = self.limits.most_days
        return most is None or self._days.get(model, 0) < most

    def _is_past(self, day: str) -> bool:
        found = layout.day_of(day)
        return found is not None and self._is_too_old(datetime.combine(found, time(), UTC).timestamp())

    def _is_abandoned(self, group: layout.Group) -> bool:
        """Whether its writer was killed before the record: nobody can tell any more whose picture it is."""
        return not group.has_record and self.now_s - group.written_s > _LEFTOVER_S

    def _is_too_old(self, moment_s: float) -> bool:
        age = self.limits.max_age_days
        return age is not None and self.now_s - moment_s > age * DAY_S

    def _remove_empty(self, model: str, day: str) -> None:
        folder = self.place.local(f"{model}/{day}")
        if folder is not None:
            with suppress(OSError):  # not empty: somebody wrote there meanwhile, or keeps files of their own
                folder.rmdir()

    def _drop_leftovers(self, model: str, day: str) -> None:
        """Delete what a killed writer left half written: it may be most of a picture."""
        folder = self.place.local(f"{model}/{day}")
        if folder is None or not folder.is_dir():
            return
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # its writer has moved it meanwhile
                if is_beside(path.name) and self.now_s - path.lstat().st_mtime > _LEFTOVER_S:
                    path.unlink()
