"""Pictures that stable answered are shown to the canary, and nobody notices."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.fakes import FakeModel, HeldModel
from gateway.rollout.conftest import Pair, failing_with, no, yes
from pictor_contract import PictureInput
from pictor_gateway.errors import BackendUnavailable, InferenceFailed, Overloaded, VersionGone
from pictor_gateway.gateway import gateway_in
from pictor_gateway.rollout.shadow import Shadow

Make = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]


def _mirrored(started: Pair) -> dict[str, float]:
    results = ("agree", "disagree", "failed", "skipped")
    found = {result: started.number("pictor_shadow_pictures_total", result=result) for result in results}
    return {result: count for result, count in found.items() if count}


def _shadow(started: Pair) -> Shadow:
    return next(one for one in gateway_in(started.gateway.app).observers if isinstance(one, Shadow))


def _ask(started: Pair, picture: bytes, eventually: Eventually, requests: int = 1) -> dict[str, float]:
    """Send requests one after the other, and return what came of their mirrored pictures."""
    for _ in range(requests):
        before = sum(_mirrored(started).values())
        answer = started.classify(picture)
        assert (200, "1") == (answer.status_code, answer.headers["X-Model-Version"])
        eventually(lambda before=before: sum(_mirrored(started).values()) > before)
    return _mirrored(started)


def test_the_canary_is_compared_with_stable(pair: Make, picture: Make, eventually: Eventually) -> None:
    """By what each decides; users get stable's answer, and only that counts as a prediction or a request."""
    started = pair(canary=yes, shadow_share=1)
    assert {"agree": 3} == _ask(started, picture(), eventually, 3)
    assert {"share": 0, "active": True, "reason": "", "pictures": 3, "agreement": 1} == started.canary
    assert 3 == started.number("pictor_predictions_total")
    assert 3 == started.number("pictor_pictures_total")
    assert 0 == started.number("pictor_requests_total", version="2")
    assert 3 == started.number("pictor_requests_total", version="1")
    assert 3 == started.number("pictor_version_duration_seconds_count", version="2")


def test_a_canary_that_answers_otherwise_is_taken_out(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """Then nothing is mirrored any more."""
    started = pair(canary=no, shadow_share=1, canary_min_pictures=10)
    assert {"disagree": 3} == _ask(started, picture(), eventually, 3)
    assert (False, 0) == (started.canary["active"], started.canary["agreement"])
    assert "It answered 3 of its last 3 mirrored pictures other than version 1" in started.canary["reason"]
    assert "1" == started.classify(picture()).headers["X-Model-Version"]
    assert {"disagree": 3} == _mirrored(started)
    assert 1 == started.number("pictor_canary_breaches_total", reason="agreement")


def test_labels_are_compared_by_their_names(pair: Make, picture: Make, eventually: Eventually) -> None:
    """A canary with the labels in another order, and one more, agrees where it says the same."""

    def third(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array([0.7, 0.2, 0.1], np.float32), (len(pictures), 1))

    canary = FakeModel(third, version=2)
    canary.contract = replace(canary.contract, labels=("yes", "maybe", "no"), head="multiclass")
    assert {"agree": 1} == _ask(pair(canary=canary, shadow_share=1), picture(), eventually)


def test_a_canary_of_another_size_sees_the_picture_decoded_for_it(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """Decoding it again is not counted as another picture. Raw pixels cannot be decoded: not mirrored."""
    canary = FakeModel(yes, version=2)
    canary.contract = replace(canary.contract, input=PictureInput(16, 16))
    started = pair(canary=canary, shadow_share=1)
    pixels = {"instances": [[[[0, 0, 0]] * 8] * 8]}
    assert 200 == started.gateway.http.post("/v1/models/fake:predict", json=pixels).status_code
    assert {"agree": 1} == _ask(started, picture(), eventually)
    assert 2 == started.number("pictor_pictures_total")


def test_who_named_stable_is_mirrored_as_well(pair: Make, picture: Make, eventually: Eventually) -> None:
    """It changes nothing for them; who named another version has nothing to be compared with."""
    started = pair(shadow_share=1)
    assert "2" == started.classify(picture(), version=2).headers["X-Model-Version"]
    assert "1" == started.classify(picture(), label="stable").headers["X-Model-Version"]
    eventually(lambda: _mirrored(started) == {"agree": 1})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InferenceFailed("it broke"), {"failed": 1}),
        (VersionGone("unloaded"), {"skipped": 1}),
        (Overloaded("busy"), {"skipped": 1}),
        (BackendUnavailable("stable has not answered since, either"), {"skipped": 1}),
        (KeyError("a surprise"), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_mirrored_picture_that_fails_harms_nobody(
    pair: Make, picture: Make, eventually: Eventually, error: Exception, expected: dict[str, float]
) -> None:
    """It counts against the canary only where it is the canary's fault."""
    calls: list[int] = []

    def answer(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        calls.append(len(pictures))
        return failing_with(error)(pictures)

    started = pair(canary=answer, shadow_share=1)
    assert "1" == started.classify(picture()).headers["X-Model-Version"]
    eventually(lambda: bool(calls) and _mirrored(started) == expected)
    assert expected.get("failed", 0) == started.canary["pictures"]


def test_a_canary_that_hangs_is_blamed_where_stable_goes_on(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """Its time is up, and stable has answered meanwhile."""
    started = pair(canary=HeldModel(version=2), shadow_share=1, request_timeout_s=0.3)
    assert 200 == started.classify(picture()).status_code
    assert 200 == started.classify(picture()).status_code
    eventually(lambda: _mirrored(started) == {"failed": 1, "skipped": 1})


def test_mirrored_pictures_are_few_at_once(pair: Make, picture: Make, eventually: Eventually) -> None:
    """A slow canary keeps eight requests in memory; the rest is dropped, and no answer waits."""
    canary = HeldModel(yes, version=2, parallel_calls=100)
    started = pair(canary=canary, shadow_share=1)
    for _ in range(12):
        assert 200 == started.classify(picture()).status_code
    eventually(lambda: len(canary.calls) == 8)
    assert {"skipped": 4} == _mirrored(started)
    for call in list(canary.calls):
        started.gateway.loop.call_soon_threadsafe(call.end)
    eventually(lambda: _mirrored(started) == {"skipped": 4, "agree": 8})


def test_they_hold_little_memory(
    pair: Make, picture: Make, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in bytes, and given back."""
    monkeypatch.setattr("pictor_gateway.rollout.shadow._MOST_BYTES", 2 * 8 * 8 * 3)
    canary = HeldModel(yes, version=2, parallel_calls=100)
    started = pair(canary=canary, shadow_share=1)
    for _ in range(3):
        assert 200 == started.classify(picture()).status_code
    assert {"skipped": 1} == _mirrored(started)
    for call in list(canary.calls):
        started.gateway.loop.call_soon_threadsafe(call.end)
    eventually(lambda: _mirrored(started) == {"skipped": 1, "agree": 2})
    assert 0 == _shadow(started)._held_bytes


def test_nothing_is_mirrored_while_the_model_is_at_work(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """The canary would only be in the way of those who wait."""
    stable = HeldModel(yes, version=1)
    started = pair(stable=stable, shadow_share=1)
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(started.classify, picture()) for _ in range(2)]
        eventually(lambda: started.number("pictor_queued_pictures") == 1)
        started.gateway.loop.call_soon_threadsafe(stable.calls[0].end)
        eventually(lambda: len(stable.calls) == 2)
        assert {"skipped": 1} == _mirrored(started)
        started.gateway.loop.call_soon_threadsafe(stable.calls[1].end)
        assert [200] * 2 == [one.result(30).status_code for one in waiting]
    eventually(lambda: _mirrored(started) == {"skipped": 1, "agree": 1})


def test_nothing_is_mirrored_while_the_gateway_is_half_full(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """Admission says so."""
    started = pair(shadow_share=1, max_concurrent_requests=2)
    assert 200 == started.classify(picture()).status_code
    eventually(lambda: _mirrored(started) == {"skipped": 1})


def test_how_long_mirrored_pictures_take_is_not_judged(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """They run beside the next user's request, and nobody waits for them."""

    def slowly(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        Event().wait(0.05)  # a model at work
        return yes(pictures)

    started = pair(canary=slowly, shadow_share=1, canary_min_pictures=5)
    assert {"agree": 8} == _ask(started, picture(), eventually, 8)
    assert (True, "") == (started.canary["active"], started.canary["reason"])
    assert started.number("pictor_version_duration_seconds_sum", version="2") >= 8 * 0.05


def test_what_is_under_way_ends_with_the_gateway(pair: Make, picture: Make, eventually: Eventually) -> None:
    """Nobody waits for a canary at the shutdown."""
    canary = HeldModel(version=2)
    started = pair(canary=canary, shadow_share=1)
    assert 200 == started.classify(picture()).status_code
    eventually(lambda: len(canary.calls) == 1)
    shadow = _shadow(started)
    started.gateway.wait_for(shadow.close())
    assert (set(), 0) == (shadow._tasks, shadow._held_bytes)
    assert canary.calls[0].outcome.cancelled()


def test_whom_the_canary_failed_it_is_not_asked_again(
    pair: Make, picture: Make, eventually: Eventually
) -> None:
    """A rescued request would count twice."""
    started = pair(canary=failing_with(InferenceFailed("it broke")), canary_share=0.5, shadow_share=1)
    sessions = [f"session-{number}" for number in range(4)]
    for session in sessions:
        assert "1" == started.classify(picture(), session).headers["X-Model-Version"]
    rescued = started.number("pictor_canary_rescues_total")
    eventually(lambda: started.canary["pictures"] == min(3, len(sessions)))
    assert rescued + _mirrored(started).get("failed", 0) >= 3


def test_a_part_of_the_requests_is_mirrored(pair: Make, picture: Make, eventually: Eventually) -> None:
    """By chance, whoever asks."""
    started = pair(shadow_share=0.3)
    started.versions(picture(), 100)
    eventually(lambda: 10 <= sum(_mirrored(started).values()) <= 60)
