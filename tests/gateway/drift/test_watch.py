"""Which pictures are compared, and what happens when there are too many."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from gateway.fakes import FakeBackend, FakeModel
from photos import statistics_of, take_photos
from pictor_contract import BrokenPicture, DecodedPicture
from pictor_gateway import Settings
from pictor_gateway.drift.watch import DriftWatch, watch_from
from pictor_gateway.drift.windows import DriftWindows
from pictor_gateway.inference.pipeline import Recognised
from pictor_gateway.request.observer import Answered
from pictor_gateway.telemetry.learning_metrics import LearningMetrics

Eventually = Callable[[Callable[[], bool]], None]
SCORES = np.array([0.25, 0.75], np.float32)


class Watched:
    """A watch of one model, and what is known of it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings.load({"drift_min_pictures": 1, **settings}, {})
        self.registry = CollectorRegistry()
        metrics = LearningMetrics(self.registry)
        self.model = _model(1)
        self.backend = FakeBackend(self.model)
        self.windows = DriftWindows(self.settings, self.backend, metrics)
        watch = watch_from(self.settings.drift_rate, self.windows, metrics)
        assert watch is not None
        self.watch: DriftWatch = watch

    @property
    def compared(self) -> int:
        """How many pictures the one version's window holds."""
        (version,) = self.windows.versions()
        assert version.reading is not None
        return version.reading.pictures

    def sample(self, name: str, **labels: str) -> float | None:
        """Return a metric's value."""
        return self.registry.get_sample_value(name, labels)

    def answer(self, request_id: str, pictures: int = 1, form: str = "PNG", side: int = 8) -> None:
        """Let the model have answered a request."""
        pixels = np.zeros((side, side, 3), np.uint8)
        decoded = [DecodedPicture(pixels, form, 640, 480, 1)] * pictures
        outcomes = [Recognised(SCORES, form, 640, 480, 1)] * pictures
        self.watch.answered(Answered(self.model, [b""] * pictures, decoded, outcomes, {}, request_id, True))


def _model(version: int, digest: str = "a") -> FakeModel:
    contract = FakeModel().contract
    statistics = statistics_of(take_photos(1, 50, mix=(0.5, 0.5)), labels=2)
    return FakeModel(version=version, digest=digest, contract=replace(contract, statistics=statistics))


@pytest.fixture
def start() -> Iterator[Callable[..., Watched]]:
    """Start watches; they end with the test."""
    running: list[Watched] = []

    def begin(**settings: Any) -> Watched:
        watched = Watched(**settings)
        asyncio.run(watched.watch.start())
        running.append(watched)
        return watched

    yield begin
    for watched in running:
        asyncio.run(watched.watch.close())


def test_a_share_of_the_pictures_is_compared_the_same_in_every_process(start: Callable[..., Watched]) -> None:
    """By the request's id, and for each picture of it anew."""
    one, other = start(drift_rate=0.25), start(drift_rate=0.25)
    for number in range(100):
        one.answer(f"request {number}", pictures=2)
        other.answer(f"request {number}", pictures=2)
    for watched in (one, other):
        asyncio.run(watched.watch.close())
    assert 30 <= one.compared <= 70
    assert one.compared == other.compared


def test_all_pictures_are_compared_where_that_is_wanted(start: Callable[..., Watched]) -> None:
    """What is in hand when the gateway ends is compared as well."""
    watched = start(drift_rate=1.0)
    for number in range(20):
        watched.answer(f"{number}", pictures=3)
    asyncio.run(watched.watch.close())
    assert 60 == watched.compared


def test_nothing_looks_where_nothing_is_wanted() -> None:
    """No thread, no cost."""
    watched = Watched()
    assert watch_from(0.0, watched.windows, LearningMetrics(CollectorRegistry())) is None


def test_pictures_without_scores_are_not_compared(start: Callable[..., Watched]) -> None:
    """The others of their request are."""
    watched = start(drift_rate=1.0)
    broken = BrokenPicture("It is.")
    whole = DecodedPicture(np.zeros((8, 8, 3), np.uint8), "PNG", 640, 480, 1)
    outcomes = [broken, Recognised(SCORES, "PNG", 640, 480, 1)]
    watched.watch.answered(Answered(watched.model, [b""] * 2, [broken, whole], outcomes, {}, "id", True))
    asyncio.run(watched.watch.close())
    assert 1 == watched.compared


def test_too_many_waiting_pictures_are_dropped_and_counted() -> None:
    """By number where they are small, by bytes where they are not; no thread takes any here."""
    small, large = Watched(drift_rate=1.0), Watched(drift_rate=1.0)
    small.answer("id", pictures=300)
    large.answer("id", pictures=20, side=2000)
    assert 300 - 256 == small.sample("pictor_drift_dropped_pictures_total")
    assert 20 - 3 == large.sample("pictor_drift_dropped_pictures_total")


def test_pixels_that_came_as_such_are_copied_and_have_no_size(start: Callable[..., Watched]) -> None:
    """They are a part of a body, which need not stay in memory."""
    watched = start(drift_rate=1.0)
    watched.answer("id", pictures=5, form="raw")
    asyncio.run(watched.watch.close())
    (version,) = watched.windows.versions()
    assert version.reading is not None
    assert [feature for feature, score in version.reading.features.items() if score is None] == ["size"]


def test_a_picture_that_cannot_be_compared_harms_no_other(
    start: Callable[..., Watched], caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on, and says what happened."""
    watched = start(drift_rate=1.0)
    scores, watched_scores = np.zeros(0, np.float32), SCORES
    whole = DecodedPicture(np.zeros((8, 8, 3), np.uint8), "PNG", 640, 480, 1)
    outcomes = [Recognised(one, "PNG", 640, 480, 1) for one in (scores, watched_scores)]
    watched.watch.answered(Answered(watched.model, [b""] * 2, [whole] * 2, outcomes, {}, "id", True))
    asyncio.run(watched.watch.close())
    assert 1 == watched.compared
    assert "a picture could not be compared" in caplog.text


@pytest.mark.parametrize("following", [_model(2), _model(1, digest="b")])
def test_a_version_that_takes_anothers_place_begins_anew(
    following: FakeModel, start: Callable[..., Watched], eventually: Eventually
) -> None:
    """Also under the same number; the score of the one that went is taken out of the metrics."""
    watched = start(drift_rate=1.0)
    watched.answer("id", pictures=100)
    of_first = {"model": "fake", "version": "1"}
    eventually(lambda: 100 == watched.sample("pictor_drift_pictures", **of_first))
    assert (watched.sample("pictor_drift_score", **of_first, feature="brightness") or 0) > 1
    watched.model = watched.backend.model = following
    assert 0 == watched.compared
    assert 0 == watched.sample("pictor_drift_pictures", **of_first)
    assert 0 == watched.sample("pictor_drift_score", **of_first, feature="brightness")
    watched.answer("id")
    eventually(lambda: 1 == watched.compared)


def test_servers_that_are_away_for_a_moment_take_no_window_with_them(
    start: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen is not forgotten for want of somebody who answers."""
    watched = start(drift_rate=1.0)
    watched.answer("id", pictures=5)
    away = [replace(model, versions=()) for model in watched.backend.models()]
    with monkeypatch.context() as gone:
        gone.setattr(watched.backend, "models", lambda: away)
        assert [] == watched.windows.versions()
    asyncio.run(watched.watch.close())
    assert 5 == watched.compared
