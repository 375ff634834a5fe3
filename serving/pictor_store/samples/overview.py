"""What is there, counted without reading it, and one sample in full."""

from collections.abc import Iterator
from dataclasses import dataclass

from pictor_store.places import Place
from pictor_store.samples import layout
from pictor_store.samples.records import Judgement, Sample


@dataclass(frozen=True, slots=True)
class Overview:
    """One model's samples; the days are "" if there are none. `labels`: how many predictions have one."""

    model: str
    pictures: int
    bytes: int
    labels: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class Found:
    """One prediction: its picture's record, and its label, as far as there are any."""

    sample: Sample | None
    judgement: Judgement | None


def overview(place: Place) -> Iterator[Overview]:
    """Yield what is there of each model.

    Raises:
        OSError: the place cannot be read.
    """
    for model in layout.models_in(place):
        days = layout.days_in(place, model)
        pictures = size = 0
        for day in days:
            for group in layout.groups_in(place, model, day):
                pictures += 1
                size += group.size
        labels = len(layout.judged_in(place, model))
        if pictures or labels:
            first, last = (days[0], days[-1]) if days else ("", "")
            yield Overview(model, pictures, size, labels, first, last)


def find(place: Place, sample_id: str) -> Found:
    """Return what is there of a prediction, whichever model's.

    Raises:
        OSError: the place cannot be read.
        SamplesError: what is there is damaged.
    """
    sample = judgement = None
    for model in layout.models_in(place):
        for path in (layout.record_path(model, day, sample_id) for day in layout.days_in(place, model)):
            if place.exists(path):
                sample = Sample.from_json(place.read(path))
        path = layout.feedback_path(model, sample_id)
        if place.exists(path):
            judgement = Judgement.from_json(place.read(path))
    return Found(sample, judgement)
