"""A canary that fails costs the client nothing: stable answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.fakes import FakeModel
from gateway.rollout.conftest import failing_with, yes
from pictor_gateway import Inference
from pictor_gateway.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    InferenceFailed,
    Overloaded,
    VersionGone,
)
from pictor_gateway.request.deadline import Deadline

Make = Callable[..., Any]


class Hanging(FakeModel):
    """A model that never answers."""

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Wait for nothing."""
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


@pytest.mark.parametrize(
    "error",
    [
        InferenceFailed("it broke"),
        BackendUnavailable("it is gone"),
        VersionGone("it was there a moment ago"),
        Overloaded("its queue is full"),
        DeadlineExceeded("inference"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_canary_that_fails_costs_the_client_nothing(pair: Make, picture: Make, error: Exception) -> None:
    """Stable answers instead, says so, and only its answer counts as a prediction."""
    started = pair(canary=failing_with(error), canary_share=1)
    answer = started.classify(picture())
    assert (200, "1", 1) == (
        answer.status_code,
        answer.headers["X-Model-Version"],
        answer.json()["model"]["version"],
    )
    assert 1 == started.number("pictor_canary_rescues_total", version="2")
    assert 1 == started.number("pictor_requests_total", version="1", outcome="ok")
    assert 1 == started.number("pictor_predictions_total", version="1")
    assert 0 == started.number("pictor_predictions_total", version="2")
    blamed = 0 if isinstance(error, VersionGone) else 1
    assert blamed == started.canary["pictures"]


@pytest.mark.parametrize("version_error", [InferenceFailed("bad pixels"), BackendUnavailable("all gone")])
def test_what_stable_cannot_do_either_is_not_the_canarys_fault(
    pair: Make, picture: Make, version_error: Exception
) -> None:
    """A picture that breaks every model, or an outage of all servers, does not end a trial."""
    answer = failing_with(version_error)
    started = pair(stable=answer, canary=answer, canary_share=1)
    for _ in range(5):
        assert type(version_error).status == started.classify(picture()).status_code
    assert {"share": 1, "active": True, "reason": "", "pictures": 0, "agreement": None} == started.canary


def test_a_canary_that_hangs_leaves_time_for_stable(pair: Make, picture: Make) -> None:
    """It has half of the request's time; the client waits longer, and has its answer."""
    started = pair(canary=Hanging(version=2), canary_share=1, request_timeout_s=1.0)
    answer = started.classify(picture())
    assert (200, "1") == (answer.status_code, answer.headers["X-Model-Version"])


def test_a_canary_that_hangs_is_out_after_a_few_requests(pair: Make, picture: Make) -> None:
    """Then nobody waits for it any more."""
    started = pair(
        canary=Hanging(version=2), canary_share=1, request_timeout_s=0.4, canary_max_error_ratio=0.01
    )
    for _ in range(3):
        assert 200 == started.classify(picture()).status_code
    assert ("2 of its last 2 pictures failed; of 100 at most 1 may.", False) == (
        started.canary["reason"],
        started.canary["active"],
    )
    assert 2 == started.number("pictor_canary_rescues_total")


def test_a_picture_that_only_the_canary_cannot_answer_is_answered(pair: Make, picture: Make) -> None:
    """A request has one version's answers: all of them are stable's then."""

    def dark_is_nan(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        dark = pictures.mean(axis=(1, 2, 3)) < 50
        return np.where(dark[:, None], np.nan, [[0.2, 0.8]]).astype(np.float32)

    started = pair(canary=dark_is_nan, canary_share=1)
    files = [("files", picture((10, 10, 10))), ("files", picture((250, 250, 250))), ("files", b"none")]
    body = started.gateway.http.post("/v1/classify", files=files).json()
    assert 1 == body["model"]["version"]
    assert [True, True, False] == ["predictions" in one for one in body["results"]]
    assert 2 == started.canary["pictures"]
    assert 1 == started.number("pictor_version_pictures_total", version="2", result="failed")
    assert 1 == started.number("pictor_version_pictures_total", version="2", result="answered")


def test_a_canary_that_is_promoted_under_a_request_answers_it(pair: Make, picture: Make) -> None:
    """Stable is let go while the canary is asked: the request follows the label."""
    canary = FakeModel(failing_with(InferenceFailed("once")), version=2)
    started = pair(stable=failing_with(VersionGone("unloaded")), canary=canary, canary_share=1)

    def promote(_: NDArray[np.uint8]) -> NDArray[Any]:
        canary.answer = yes
        del started.backend.versions[0]
        started.backend.refresh_to = {"stable": 2}
        raise VersionGone("unloaded")

    started.backend.versions[0].answer = promote
    answer = started.classify(picture())
    assert (200, "2") == (answer.status_code, answer.headers["X-Model-Version"])
