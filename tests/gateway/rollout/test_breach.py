"""A canary that breaks a rule gets no more traffic, and everybody who should is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.fakes import FakeModel
from gateway.rollout.conftest import failing_with, no, yes
from pictor_gateway import Inference
from pictor_gateway.errors import (
    InferenceFailed,
)
from pictor_gateway.request.deadline import Deadline

Make = Callable[..., Any]


def _break(started: Any, picture: Make) -> None:
    for _ in range(3):
        assert 200 == started.classify(picture()).status_code


def test_a_breach_ends_the_canarys_traffic_and_is_told(pair: Make, picture: Make) -> None:
    """In GET /v1/models, /readyz, the metrics and the log; users never noticed."""
    started = pair(canary=failing_with(InferenceFailed("it broke")), canary_share=1)
    assert 0 == started.number("pictor_canary_active", version="2")
    _break(started, picture)
    reason = "3 of its last 3 pictures failed; of 100 at most 2 may."
    assert {
        "share": 1,
        "active": False,
        "reason": reason,
        "pictures": 3,
        "agreement": None,
    } == started.canary
    ready = started.gateway.http.get("/readyz")
    assert 200 == ready.status_code
    assert [f"fake/2 gets no canary traffic. {reason}"] == ready.json()["refused_versions"]
    assert 1 == started.number("pictor_canary_breaches_total", version="2", reason="errors")
    assert 0 == started.number("pictor_canary_active", version="2")
    _break(started, picture)
    assert 3 == started.number("pictor_canary_rescues_total")
    answer = started.classify(picture(), label="canary")
    assert 502 == answer.status_code


def test_a_canary_that_was_taken_out_stays_out_until_another_is_named(pair: Make, picture: Make) -> None:
    """Not knowing its label for a moment, or another stable version, is no new trial."""
    canary = FakeModel(failing_with(InferenceFailed("it broke")), version=2)
    started = pair(canary=canary, canary_share=1)
    _break(started, picture)
    canary.answer = yes
    started.backend.versions.append(FakeModel(yes, version=3))
    started.backend.relabel(stable=1)
    assert "1" == started.classify(picture()).headers["X-Model-Version"]
    started.backend.relabel(stable=3, canary=2)
    assert "3" == started.classify(picture()).headers["X-Model-Version"]
    assert not started.canary["active"]
    started.backend.relabel(stable=1, canary=3)
    assert "3" == started.classify(picture()).headers["X-Model-Version"]
    assert (True, 1) == (started.canary["active"], started.canary["pictures"])
    assert (0, 1) == (
        started.number("pictor_canary_active", version="2"),
        started.number("pictor_canary_active", version="3"),
    )
    started.backend.relabel(stable=1, canary=2)
    assert "2" == started.classify(picture()).headers["X-Model-Version"]


def test_a_slow_canary_is_taken_out(pair: Make, picture: Make) -> None:
    """By its 95th percentile beside stable's."""

    class Slow(FakeModel):
        async def predict(
            self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
        ) -> Inference:
            await asyncio.sleep(0.03)
            return Inference(self.answer(pictures), 0.0, 0.03)

    started = pair(canary=Slow(yes, version=2), canary_share=0.5, canary_min_pictures=20)
    started.versions(picture(), 80)
    assert not started.canary["active"]
    assert 1 == started.number("pictor_canary_breaches_total", version="2", reason="latency")
    assert {"1"} == set(started.versions(picture(), 20))


def test_a_good_canary_goes_on(pair: Make, picture: Make) -> None:
    """Hundreds of requests later it still has its share, and its numbers are there."""
    started = pair(canary=no, canary_share=0.5, canary_min_pictures=20)
    versions = started.versions(picture(), 200)
    assert (True, versions.count("2")) == (started.canary["active"], started.canary["pictures"])
    for version in ("1", "2"):
        count = versions.count(version)
        assert count == started.number("pictor_version_pictures_total", version=version, result="answered")
        assert count == started.number("pictor_version_duration_seconds_count", version=version)
    assert 1 == started.number("pictor_canary_active", version="2")
