"""The way of a picture under strain: off the event loop, admitted or refused, in time or not at all."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, current_thread, get_native_id
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.fakes import FakeBackend, FakeModel
from pictor_contract import DecodedPicture, DecodeLimits, PictureInput, decode_picture
from pictor_gateway import Inference
from pictor_gateway.errors import VersionGone
from pictor_gateway.gateway import gateway_in
from pictor_gateway.process.priority import step_back
from pictor_gateway.request.deadline import Deadline

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass
class Gate:
    """Decoding waits at it; `entered` tells that somebody does."""

    entered: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)
    threads: list[str] = field(default_factory=list)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Hold every picture in its decoding thread until the gate opens."""
    gate = Gate()

    def held(data: bytes, picture_input: PictureInput, limits: DecodeLimits) -> DecodedPicture:
        gate.threads.append(current_thread().name)
        gate.entered.set()
        assert gate.opened.wait(30)
        return decode_picture(data, picture_input, limits)

    monkeypatch.setattr("pictor_gateway.inference.pipeline.decode_picture", held)
    yield gate
    gate.opened.set()


def test_the_event_loop_answers_while_pictures_are_decoded(
    make_gateway: MakeGateway, picture: MakePicture, gate: Gate
) -> None:
    """Decoding runs in its own threads: with all of them busy, probes are answered at once."""
    gateway = make_gateway(decode_threads=1)
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(gateway.http.post, "/v1/classify", content=picture()) for _ in range(2)]
        assert gate.entered.wait(30)
        assert 200 == gateway.http.get("/livez").status_code
        gate.opened.set()
        assert [200, 200] == [one.result().status_code for one in waiting]
    assert all(name.startswith("pictor-decode") for name in gate.threads)


def test_one_request_too_many_is_refused_at_once(
    make_gateway: MakeGateway,
    picture: MakePicture,
    gate: Gate,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    """With every place taken the answer is 503 with Retry-After; those inside are answered."""
    gateway = make_gateway(max_concurrent_requests=2, decode_threads=2)
    with ThreadPoolExecutor(2) as clients:
        inside = [clients.submit(gateway.http.post, "/v1/classify", content=picture()) for _ in range(2)]
        eventually(lambda: "pictor_inflight_requests 2.0" in gateway.http.get("/metrics").text)
        refused = gateway.http.post("/v1/classify", content=picture())
        gate.opened.set()
        assert [200, 200] == [one.result().status_code for one in inside]
    assert ("overloaded", True) == (refused.json()["code"], refused.json()["retryable"])
    assert "1" == refused.headers["Retry-After"]
    assert 200 == gateway.http.post("/v1/classify", content=picture()).status_code
    numbers = gateway.http.get("/metrics").text
    assert "pictor_inflight_requests 0.0" in numbers
    assert 'pictor_shed_total{reason="concurrency"}' in numbers


def test_time_runs_out_while_decoding(make_gateway: MakeGateway, picture: MakePicture, gate: Gate) -> None:
    """The answer is a 504 that names the stage, and comes although the thread is still at work."""
    gateway = make_gateway(request_timeout_s=0.05)
    response = gateway.http.post("/v1/classify", content=picture())
    gate.opened.set()
    assert (504, "deadline_exceeded") == (response.status_code, response.json()["code"])
    assert "'decode'" in response.json()["detail"]


def test_work_whose_time_is_over_is_not_begun(
    make_gateway: MakeGateway, picture: MakePicture, gate: Gate
) -> None:
    """A picture that waited too long for a thread is dropped, not decoded for nobody."""
    gateway = make_gateway(request_timeout_s=0.05, decode_threads=1)
    first = gateway.http.post("/v1/classify", content=picture())
    second = gateway.http.post(
        "/v1/classify", content=picture()
    )  # waits behind the first, which holds the thread
    gate.opened.set()
    gateway_in(gateway.app).pipeline._threads._threads.submit(int).result(30)  # all in line had their turn
    assert [504, 504] == [first.status_code, second.status_code]
    assert len(gate.threads) <= 1  # none, where even the first came too late


def test_time_runs_out_at_the_model(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """The stage is named there as well."""

    class Sleeper(FakeModel):
        async def predict(
            self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
        ) -> Inference:
            await asyncio.Event().wait()
            raise AssertionError("nobody wakes it")

    gateway = make_gateway(FakeBackend(Sleeper(np.zeros)), request_timeout_s=0.05)
    response = gateway.http.post("/v1/classify", content=picture())
    assert 504 == response.status_code
    assert "'inference'" in response.json()["detail"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda pictures: np.full((len(pictures), 2), np.nan, np.float32),
        lambda pictures: np.full((len(pictures), 2), np.inf, np.float32),
        lambda pictures: np.zeros((len(pictures), 3), np.float32),
        lambda pictures: np.zeros((len(pictures) + 1, 2), np.float32),
    ],
    ids=["nan", "infinite", "labels", "pictures"],
)
def test_an_answer_that_is_no_score_is_not_passed_on(
    make_gateway: MakeGateway, picture: MakePicture, answer: Predict
) -> None:
    """NaN, or more or fewer numbers than asked for, is a failure and not a prediction."""
    response = make_gateway(FakeBackend(FakeModel(answer))).http.post("/v1/classify", content=picture())
    assert (502, "inference_failed") == (response.status_code, response.json()["code"])


def test_the_unexpected_says_its_id_and_nothing_else(
    make_gateway: MakeGateway, picture: MakePicture, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets an id, the log the traceback; no text of the exception leaves the process."""

    def broken(_: NDArray[np.uint8]) -> NDArray[Any]:
        raise KeyError("/secret/path")

    gateway = make_gateway(FakeBackend(FakeModel(broken)))
    with caplog.at_level(logging.ERROR, "pictor.gateway"):
        response = gateway.http.post("/v1/classify", content=picture())
    assert (500, "internal_error") == (response.status_code, response.json()["code"])
    assert "secret" not in response.text
    assert response.json()["instance"].endswith(response.headers["X-Request-ID"])
    assert "/secret/path" in caplog.text
    assert 'outcome="error"' in gateway.http.get("/metrics").text


def test_many_clients_at_once_get_their_own_answers(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Nothing is mixed up between requests that are at work together."""
    gateway = make_gateway()
    pictures = [picture((220, 20, 20)), picture((20, 220, 20)), picture((20, 20, 220))]

    def ask(number: int) -> str:
        answer = gateway.http.post("/v1/classify", content=pictures[number % 3]).json()
        return str(answer["decision"][0])

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(ask, range(90)))
    assert ["röd", "green", "blue"] * 30 == answers


def test_a_request_follows_the_model_to_the_version_that_took_over(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """The version vanishes under it; the next one answers, and the picture is not decoded again."""

    def gone(_: NDArray[np.uint8]) -> NDArray[Any]:
        raise VersionGone("it was there a moment ago")

    gateway = make_gateway(FakeBackend(FakeModel(gone), after_refresh=FakeModel(version=2)))
    answer = gateway.http.post("/v1/classify", content=picture())
    assert (200, "2") == (answer.status_code, answer.headers["X-Model-Version"])
    numbers = gateway.http.get("/metrics").text
    assert 'pictor_retries_total{reason="version"} 1.0' in numbers
    assert 'pictor_pictures_total{format="PNG",result="decoded"} 1.0' in numbers


def test_a_version_that_is_gone_for_good_is_not_found(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """Looking again finds the same one: there is nothing to follow."""

    def gone(_: NDArray[np.uint8]) -> NDArray[Any]:
        raise VersionGone("it was there a moment ago")

    refused = make_gateway(FakeBackend(FakeModel(gone))).http.post("/v1/classify", content=picture())
    assert (404, "version_not_found") == (refused.status_code, refused.json()["code"])


def test_pictures_of_one_request_fail_one_by_one(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """One that the model cannot answer has an error in its place; if it answers none, the request fails."""

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        dark = pictures.mean(axis=(1, 2, 3)) < 50
        return np.where(dark[:, None], np.nan, [[0.2, 0.8]]).astype(np.float32)

    http = make_gateway(FakeBackend(FakeModel(answer))).http
    dark, light = picture((10, 10, 10)), picture((250, 250, 250))
    results = http.post("/v1/classify", files=[("files", dark), ("files", light)]).json()["results"]
    assert ("inference_failed", True) == (results[0]["error"]["code"], "predictions" in results[1])
    assert 502 == http.post("/v1/classify", files=[("files", dark), ("files", dark)]).status_code


def test_workers_step_back_behind_the_event_loop() -> None:
    """Under full load a probe is answered at once because of it."""
    with ThreadPoolExecutor(1, initializer=step_back) as workers:
        stepped = workers.submit(lambda: os.getpriority(os.PRIO_PROCESS, get_native_id())).result(30)
    assert min(19, os.getpriority(os.PRIO_PROCESS, get_native_id()) + 10) == stepped
