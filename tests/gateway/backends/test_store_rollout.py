"""Versions of a folder change places under load, and a canary that hangs is alone with it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest

from pictor_gateway.backends.embedded import InferenceThreads
from pictor_gateway.backends.protocol import ModelStatus
from pictor_store.changes import promote, prune, rollback
from pictor_store.models.model import StoredModel

Make = Callable[..., Any]
Publish = Callable[..., Path]
Eventually = Callable[[Callable[[], bool]], None]


def _status(http: httpx.Client) -> dict[str, Any]:
    (model,) = http.get("/v1/models").json()["models"]
    found: dict[str, Any] = model
    return found


def _answers(http: httpx.Client, picture: bytes, **query: object) -> str:
    params: Any = query
    answer = http.post("/v1/classify", content=picture, params=params, headers={"Content-Type": "image/png"})
    return answer.headers["X-Model-Version"] if answer.status_code == 200 else answer.json()["code"]


@contextmanager
def _load(address: httpx.URL, picture: bytes, *queries: str) -> Iterator[list[httpx.Response]]:
    """Have one client for each of `queries` ask all the time."""
    answers: list[httpx.Response] = []
    over = Event()

    def send(query: str) -> None:
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as http:
            number = 0
            while not over.is_set():
                number += 1
                headers = {"Content-Type": "image/png", "X-Session-ID": f"{query}-{number % 50}"}
                answers.append(http.post(f"/v1/classify{query}", content=picture, headers=headers))

    with ThreadPoolExecutor(len(queries)) as threads:
        sending = [threads.submit(send, query) for query in queries]
        try:
            yield answers
        finally:
            over.set()
        for one in sending:
            one.result()


@pytest.mark.parametrize("share", [0, 0.3])
def test_promotion_and_rollback_under_load_fail_no_request(
    make_gateway: Make,
    model: StoredModel,
    publish: Publish,
    picture: Make,
    eventually: Eventually,
    share: float,
) -> None:
    """Ten changes while clients ask, by label too: each answer is 200 and by a version that was meant."""
    gateway = make_gateway(canary_share=share, shadow_share=share)
    http = gateway.http
    with _load(http.base_url, picture(), "", "", "?label=stable") as answers:

        def settled(version: int) -> None:
            eventually(lambda: _status(http)["labels"]["stable"] == version)
            enough = len(answers) + 6
            eventually(lambda: len(answers) >= enough)

        for round_ in range(3):
            version = 4 + round_
            publish("colours", version)
            promote(model, version, label="canary")
            eventually(lambda version=version: _status(http)["labels"].get("canary") == version)
            promote(model, version)
            settled(version)
            rollback(model)
            settled(1 if round_ == 0 else version - 1)
            promote(model, version)
            settled(version)
            prune(model, keep=1)
    assert {200} == {answer.status_code for answer in answers}
    assert {1, 4, 5, 6} <= {answer.json()["model"]["version"] for answer in answers}


def test_a_canary_has_threads_of_its_own() -> None:
    """One that hangs takes none of stable's; what becomes stable moves over."""
    models = (ModelStatus("pets", (), {"stable": 1, "canary": 2}, 1),)
    threads = InferenceThreads(1, lambda: models)
    hangs = Event()
    try:
        assert threads.of("pets", 1) is threads.of("other", 2)
        assert threads.of("pets", 1) is not threads.of("pets", 2)
        threads.of("pets", 2).submit(hangs.wait)
        assert 7 == threads.of("pets", 1).submit(lambda: 7).result(30)
        models = (ModelStatus("pets", (), {"stable": 2, "canary": 2}, 2),)
        assert threads.of("pets", 1) is threads.of("pets", 2)
    finally:
        hangs.set()
        threads.close()


def test_a_canary_that_hangs_on_the_cpu_stops_nobody(
    make_gateway: Make, model: StoredModel, picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its calls cannot be broken off; stable's never wait behind them."""
    from pictor_gateway.backends.session import OnnxSession  # noqa: PLC0415 - patched here alone

    promote(model, 2, label="canary")
    gateway = make_gateway(canary_share=1, request_timeout_s=1.0)
    held, run = Event(), OnnxSession.run
    canary = gateway.http.get("/v1/models").json()["models"][0]["labels"]["canary"]
    assert 2 == canary
    backend_models = gateway.app.state.gateway.backend.models()
    session = next(one.session for one in backend_models[0].available if one.version == canary)

    def hang(self: OnnxSession, pictures: np.ndarray[Any, Any]) -> Any:
        if self is session:
            held.wait(30)
        return run(self, pictures)

    monkeypatch.setattr(OnnxSession, "run", hang)
    try:
        assert ["1"] * 4 == [_answers(gateway.http, picture()) for _ in range(4)]
    finally:
        held.set()
