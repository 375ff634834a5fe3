"""A share of the requests is answered by the canary, and none is worse off for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.fakes import FakeModel
from gateway.rollout.conftest import failing_with, yes
from pictor_contract import PictureInput
from pictor_gateway.errors import (
    InferenceFailed,
)
from pictor_gateway.gateway import gateway_in

Make = Callable[..., Any]


def _larger(model: FakeModel) -> FakeModel:
    """Return the model for another input size."""
    return replace(model, contract=replace(model.contract, input=PictureInput(16, 16)))


def test_a_share_of_the_sessions_meets_the_canary(pair: Make, picture: Make) -> None:
    """About as many as asked for, and the same ones every time and on every replica."""
    one, other = pair(canary_share=0.3), pair(canary_share=0.3)
    first = one.versions(picture())
    assert 30 <= first.count("2") <= 90
    assert first == one.versions(picture()) == other.versions(picture())


def test_without_a_session_each_request_is_a_session(pair: Make, picture: Make) -> None:
    """Its id decides, which the client may choose."""
    started = pair(canary_share=0.5)
    answers = [started.classify(picture()).headers["X-Model-Version"] for _ in range(100)]
    assert {"1", "2"} == set(answers)
    post = started.gateway.http.post
    told = {
        post("/v1/classify", content=picture(), headers={"X-Request-ID": "mine"}).headers["X-Model-Version"]
        for _ in range(10)
    }
    assert 1 == len(told)


def test_another_header_may_name_the_session(pair: Make, picture: Make) -> None:
    """However its name is written."""
    started = pair(canary_share=0.5, canary_key_header="X-User")
    answers = [
        [
            started.gateway.http.post(
                "/v1/classify", content=picture(), headers={"x-user": f"user-{number}"}
            ).headers["X-Model-Version"]
            for number in range(30)
        ]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert {"1", "2"} == set(answers[0])


@pytest.mark.parametrize("share", [0, 1])
def test_who_names_a_version_gets_it(pair: Make, picture: Make, share: int) -> None:
    """By number or by label: nobody is rerouted."""
    started = pair(canary_share=share)
    asked = [{"version": 1}, {"version": 2}, {"label": "stable"}, {"label": "canary"}]
    answers = [started.classify(picture(), **query) for query in asked]
    assert ["1", "2", "1", "2"] == [answer.headers["X-Model-Version"] for answer in answers]


def test_without_a_share_there_is_nothing_to_do(pair: Make, picture: Make) -> None:
    """No request pays for what is switched off, and nothing is told of it."""
    started = pair()
    assert "1" == started.classify(picture()).headers["X-Model-Version"]
    gateway = gateway_in(started.gateway.app)
    assert (None, None) == (gateway.rollout, started.canary)
    assert "Shadow" not in {type(one).__name__ for one in gateway.observers}
    assert 0 == started.number("pictor_version_pictures_total")


@pytest.mark.parametrize("canary", [yes, failing_with(InferenceFailed("it broke"))], ids=["good", "bad"])
def test_all_dialects_are_alike(pair: Make, picture: Make, canary: Any) -> None:
    """The canary answers each of them, or stable does in its place; the headers tell who."""
    started = pair(canary=canary, canary_share=1, canary_max_error_ratio=1)
    expected = "2" if canary is yes else "1"
    pixels = [[[0, 0, 0]] * 8] * 8
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [0] * 192}
    post = started.gateway.http.post
    answers = [
        post("/v1/classify", content=picture()),
        post("/v1/models/fake:predict", json={"instances": [pixels]}),
        post("/v1/models/fake:classify", json={"examples": [{"image": pixels}]}),
        post("/v2/models/fake/infer", json={"inputs": [tensor]}),
    ]
    assert [(200, expected)] * 4 == [
        (answer.status_code, answer.headers["X-Model-Version"]) for answer in answers
    ]
    assert expected == answers[3].json()["model_version"]
    named = [
        post("/v1/models/fake/versions/1:predict", json={"instances": [pixels]}),
        post("/v1/models/fake/labels/stable:predict", json={"instances": [pixels]}),
        post("/v2/models/fake/versions/1/infer", json={"inputs": [tensor]}),
    ]
    assert ["1"] * 3 == [answer.headers["X-Model-Version"] for answer in named]


def test_a_canary_of_another_size_sees_pictures_of_its_size(pair: Make, picture: Make) -> None:
    """They are decoded for it, and again for stable if it fails."""
    shapes: list[tuple[int, ...]] = []

    def noted(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        shapes.append(pictures.shape)
        return yes(pictures)

    def noted_and_failed(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        noted(pictures)
        raise InferenceFailed("it broke")

    started = pair(noted, _larger(FakeModel(noted, version=2)), canary_share=1)
    assert "2" == started.classify(picture()).headers["X-Model-Version"]
    started = pair(noted, _larger(FakeModel(noted_and_failed, version=2)), canary_share=1)
    assert "1" == started.classify(picture()).headers["X-Model-Version"]
    assert [(1, 16, 16, 3), (1, 16, 16, 3), (1, 8, 8, 3)] == shapes


def test_raw_pixels_go_to_the_version_whose_size_they_have(pair: Make) -> None:
    """Clients read it from stable's metadata; the canary could only refuse them."""
    started = pair(canary=_larger(FakeModel(yes, version=2)), canary_share=1)
    pixels = {"instances": [[[[0, 0, 0]] * 8] * 8]}
    answer = started.gateway.http.post("/v1/models/fake:predict", json=pixels)
    assert (200, "1") == (answer.status_code, answer.headers["X-Model-Version"])


def test_scores_without_names_come_in_the_order_that_clients_know(pair: Make, picture: Make) -> None:
    """A canary with other labels answers only where its labels are told with the scores."""
    canary = FakeModel(yes, version=2)
    canary.contract = replace(canary.contract, labels=("yes", "no"))
    started = pair(canary=canary, canary_share=1)
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [0] * 192}
    pixels = [[[0, 0, 0]] * 8] * 8
    wanted = {"inputs": [tensor], "outputs": [{"name": "scores", "parameters": {"classification": 1}}]}
    post = started.gateway.http.post
    asked = [
        post("/v1/classify", content=picture()),
        post("/v1/models/fake:classify", json={"examples": [{"image": pixels}]}),
        post("/v2/models/fake/infer", json=wanted),
        post("/v1/models/fake:predict", json={"instances": [pixels]}),
        post("/v2/models/fake/infer", json={"inputs": [tensor]}),
    ]
    assert ["2", "2", "2", "1", "1"] == [answer.headers["X-Model-Version"] for answer in asked]
    assert ["no"] == asked[0].json()["decision"]


def test_a_canary_that_is_stable_splits_nothing(pair: Make, picture: Make) -> None:
    """After its promotion both labels may mean it for a while."""
    started = pair(labels={"stable": 2, "canary": 2}, canary_share=0.5)
    assert {"2"} == set(started.versions(picture(), 20))
    assert started.canary is None
    assert 0 == started.number("pictor_canary_rescues_total")


def test_without_stable_the_canary_is_still_not_for_everybody(pair: Make, picture: Make) -> None:
    """Its share does not grow because nobody else is there."""
    started = pair(canary_share=0.5)
    del started.backend.versions[0]
    started.backend.look()
    answers = {started.classify(picture(), f"session-{number}").status_code for number in range(20)}
    assert {503} == answers
    assert started.canary is None
    started = pair(canary_share=1)
    assert "2" == started.classify(picture()).headers["X-Model-Version"]
    for gone in (1, 0):
        versions = list(started.backend.versions)
        del started.backend.versions[gone]
        started.backend.look()
        told = started.canary
        assert (False, "It or the stable version cannot answer now.") == (told["active"], told["reason"])
        assert 0 == started.number("pictor_canary_active", version="2")
        started.backend.versions = versions
        started.backend.look()
    assert "2" == started.classify(picture()).headers["X-Model-Version"]
    assert (True, "", 2) == tuple(started.canary[key] for key in ("active", "reason", "pictures"))
