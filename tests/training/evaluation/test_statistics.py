"""What goes into the contract of what the training data looked like."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from photos import Photo, statistics_of, take_photos
from pictor_training.evaluation import statistics as training
from pictor_training.evaluation.statistics import data_statistics


@dataclass(frozen=True)
class Data:
    """As much of the prepared data as is looked at; the last row is on no side."""

    photos: list[Photo]

    labels = ("cat", "dog", "owl")

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """All rows."""
        return np.stack([photo.pixels for photo in self.photos])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """As the files had them."""
        return np.array([photo.size for photo in self.photos])

    def _side(self, number: int) -> NDArray[np.int64]:
        return np.arange(number, len(self.photos) - 1, 3)

    train = property(lambda self: self._side(0))
    val = property(lambda self: self._side(1))
    test = property(lambda self: self._side(2))


def _statistics(data: Any, photos: list[Photo], report: Any = None) -> Any:
    return data_statistics(data, np.stack([photo.scores for photo in photos]), report=report)


def test_pictures_of_every_side_and_held_out_answers_are_counted() -> None:
    """As the gateway counts what it sees; rows on no side are none of the training's."""
    photos = take_photos(1, 31)
    held_out = photos[:7]
    seen = []
    found = _statistics(Data(photos), held_out, lambda *step: seen.append(step))
    of_pictures, of_answers = statistics_of(photos[:30]), statistics_of(held_out)
    assert (30, 7) == (found.pictures, found.held_out)
    for feature in ("brightness", "sharpness", "size"):
        assert of_pictures.shares(feature) == found.shares(feature)
    for feature in ("class_mix", "confidence"):
        assert of_answers.shares(feature) == found.shares(feature)
    assert [("statistics", done, 30) for done in range(1, 31)] == seen


def test_of_very_many_pictures_a_sample_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are in the order of their digests, which is none."""
    monkeypatch.setattr(training, "MOST_PICTURES", 10)
    photos = take_photos(1, 31)
    found = _statistics(Data(photos), photos)
    assert (10, statistics_of(photos[:10]).brightness) == (found.pictures, found.brightness)
