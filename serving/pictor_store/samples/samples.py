"""Captured pictures and the labels that users gave: the one place where they are written and read."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import time
from typing import TypeVar

from pictor_store.errors import SamplesError
from pictor_store.places import Place, open_place
from pictor_store.samples import forgetting, layout, retention
from pictor_store.samples.overview import Found, Overview, find, overview
from pictor_store.samples.records import Judgement, LabelledPicture, Sample
from pictor_store.samples.subjects import SubjectKeys, subject_bytes

Made = TypeVar("Made")

log = logging.getLogger("pictor.samples")

_FOLDER_MODE = 0o770
"""Of a new folder, less what the umask takes: the job that trains may be another user of the same group."""


def digest_of(content: bytes) -> str:
    """Return the name by which a content is known: its SHA-256."""
    return sha256(content).hexdigest()


class Samples:
    """The samples in one place; several processes may write there at once.

    What fails raises SamplesError; what was there before is untouched by it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._subjects = SubjectKeys(place)

    @property
    def where(self) -> str:
        """The folder or URL."""
        return self._place.where

    def write(self, sample: Sample, content: bytes) -> bool:
        """Keep a picture and its record; False if its content is forgotten.

        Raises:
            SamplesError: it could not be written.
        """
        with self._told("written"):
            self._make_root()
            if self._place.exists(layout.tombstone_path(sample.sha256)):
                return False
            picture = layout.picture_path(sample.model, sample.day, sample.id, sample.suffix)
            record = layout.record_path(sample.model, sample.day, sample.id)
            self._place.write(picture, content)
            try:
                self._place.write(record, sample.to_json())
            except OSError:
                with suppress(OSError):  # the first error is the one worth telling
                    self._place.remove(picture)
                raise
            # Once more: who forgets it writes the tombstone first and looks for copies afterwards, so one of
            # the two sees the other's work.
            if self._place.exists(layout.tombstone_path(sample.sha256)):
                self._place.remove(picture)
                self._place.remove(record)
                return False
        return True

    def judge(self, judgement: Judgement) -> bool:
        """Keep a label, in place of an earlier one for the same prediction; False if there was one.

        Raises:
            SamplesError: it could not be written.
        """
        with self._told("written"):
            self._make_root()
            path = layout.feedback_path(judgement.model, judgement.id)
            first = not self._place.exists(path)
            self._place.write(path, judgement.to_json())
        return first

    def models(self) -> list[str]:
        """Return the models of which something may be there."""
        with self._told("read"):
            return layout.models_in(self._place)

    def records(self, model: str) -> Iterator[Sample]:
        """Yield the records of a model's pictures, oldest day first; damaged ones are logged and left out."""
        with self._told("read"):
            for day in layout.days_in(self._place, model):
                for group in layout.groups_in(self._place, model, day):
                    record = self._read(group.record, Sample.from_json)
                    if record is not None and (model, day, group.id) == (record.model, record.day, record.id):
                        yield record

    def judged(self, model: str) -> Iterator[Judgement]:
        """Yield the labels given for a model's predictions; damaged ones are logged and left out."""
        with self._told("read"):
            for sample_id in layout.judged_in(self._place, model):
                judgement = self._read(layout.feedback_path(model, sample_id), Judgement.from_json)
                if judgement is not None and (model, sample_id) == (judgement.model, judgement.id):
                    yield judgement

    def labelled(self, model: str) -> Iterator[LabelledPicture]:
        """Yield the pictures that were captured and have a label; none that is forgotten.

        Only records are read: whether a picture is whole is known once `content` has read it.

        Raises:
            SamplesError: the place cannot be read.
        """
        forgotten = self.forgotten()
        for judgement in self.judged(model):
            with self._told("read"):
                path = layout.record_path(model, judgement.day, judgement.id)
                sample = self._read(path, Sample.from_json)
            if sample is not None and sample.sha256 not in forgotten:
                yield LabelledPicture(sample, judgement.label)

    def overview(self) -> list[Overview]:
        """Return what is there of each model.

        Raises:
            SamplesError: the place cannot be read.
        """
        with self._told("read"):
            return list(overview(self._place))

    def find(self, prediction_id: str) -> Found:
        """Return what is there of a prediction: a record, a label, both or neither.

        Raises:
            SamplesError: that is no prediction id, or what is there cannot be read.
        """
        with self._told("read"):
            return find(self._place, _id_in(prediction_id))

    def content(self, sample: Sample) -> bytes | None:
        """Return a captured picture; None if it is gone, damaged or forgotten.

        Raises:
            SamplesError: the place cannot be read.
        """
        path = layout.picture_path(sample.model, sample.day, sample.id, sample.suffix)
        with self._told("read"):
            if self._place.exists(layout.tombstone_path(sample.sha256)):
                return None
            try:
                content = self._place.read(path)
            except FileNotFoundError:
                return None
        if digest_of(content) != sample.sha256:
            log.warning("captured picture is damaged", extra={"fields": {"file": path}})
            return None
        return content

    def forgotten(self) -> frozenset[str]:
        """Return the SHA-256 of every picture that must not be collected.

        Raises:
            SamplesError: the place cannot be read.
        """
        with self._told("read"):
            return layout.forgotten_in(self._place)

    def subject_key(self, subject: bytes) -> str:
        """Return what stands in records for a subject; it cannot be reversed without the place's salt.

        Raises:
            SamplesError: the salt can be neither read nor made.
        """
        with self._told("read"):
            self._make_root()
            return self._subjects.key_of(subject)

    def forget(
        self, *, subject: str | None = None, prediction_id: str | None = None, digest: str | None = None
    ) -> forgetting.Forgotten:
        """Delete pictures by whose they are, by a prediction or by content, with all copies of the content.

        First a tombstone is left for each content, so that no one collects it again. May be repeated.

        Raises:
            SamplesError: not one of the three was given, or the place cannot be read or written; repeat it.
        """
        if sum(one is not None for one in (subject, prediction_id, digest)) != 1:
            raise SamplesError(
                "Say whose picture, which prediction or which content is to be forgotten: one."
            )
        sample_id = None if prediction_id is None else _id_in(prediction_id)
        if digest is not None and not layout.is_digest(digest):
            raise SamplesError(f"{digest[:100]!r} is no SHA-256.")
        with self._told("changed"):
            key = None if subject is None else self._subjects.found_by(subject_bytes(subject))
            return forgetting.forget(self._place, forgetting.Wish(key, sample_id, digest))

    def sweep(
        self,
        *,
        max_age_days: float | None = None,
        max_bytes: int | None = None,
        most_days: int | None = None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> retention.Swept:
        """Delete what is too old, then the oldest until the rest has at most `max_bytes`.

        Too old is what both its day and its file's own time say: a clock that was wrong for one of them does
        no harm. `most_days` bounds how many days are deleted for their age, so that a clock far ahead cannot
        empty the place at once. `goes_on` is asked now and then.

        Raises:
            SamplesError: the place cannot be read or written.
        """
        limits = retention.Limits(max_age_days, max_bytes, most_days)
        with self._told("swept"):
            return retention.sweep(self._place, limits, time(), goes_on)

    def _read(self, path: str, read: Callable[[bytes], Made]) -> Made | None:
        """Return a record; None if it is gone, damaged or no file."""
        try:
            return read(self._place.read(path))
        except (FileNotFoundError, IsADirectoryError):
            return None
        except SamplesError as error:
            log.warning("record left out", extra={"fields": {"file": path, "reason": str(error)}})
            return None

    def _make_root(self) -> None:
        """Make the folder, if it is one, so that nobody outside owner and group gets in."""
        root = self._place.local("")
        if root is not None and not root.is_dir():
            root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SamplesError(
                f"The samples in {self.where} could not be {done} ({error.strerror or error})."
            ) from error


def _id_in(prediction_id: str) -> str:
    sample_id = layout.id_of(prediction_id)
    if sample_id is None:
        raise SamplesError(f"{prediction_id[:100]!r} is no prediction id.")
    return sample_id


def open_samples(where: str | Path) -> Samples:
    """Return the samples in a folder or at a URL; nothing is made before something is written.

    Raises:
        StoreError: the URL's scheme is unknown, or its driver is not installed.
    """
    return Samples(open_place(where))
