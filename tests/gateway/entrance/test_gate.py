"""A saturated gateway refuses early and cheaply, and each dialect in its own form."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.fakes import FakeBackend, HeldModel
from pictor_gateway.entrance.api_keys import line_for
from pictor_gateway.request.time_limit import HEADER

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize(
    ("path", "dialect", "key"),
    [
        ("/v1/classify", "pictor", "detail"),
        ("/v1/models/fake:predict", "tensorflow_serving", "error"),
        ("/v2/models/fake/infer", "open_inference", "error"),
    ],
)
def test_the_refusal_has_the_form_of_its_dialect(
    make_gateway: MakeGateway,
    picture: MakePicture,
    eventually: Eventually,
    path: str,
    dialect: str,
    key: str,
) -> None:
    """Although it is refused before the address was looked up; what brings no picture is answered."""
    held = HeldModel()
    gateway = make_gateway(FakeBackend(held), max_concurrent_requests=1)
    with ThreadPoolExecutor(1) as clients:
        inside = clients.submit(gateway.http.post, "/v1/classify", content=picture())
        eventually(lambda: len(held.calls) == 1)
        refused = gateway.http.post(path, content=b"?", headers={HEADER: "no number"})
        listed = gateway.http.get("/v1/models")
        gateway.loop.call_soon_threadsafe(held.calls[0].end)
        assert (200, 200) == (inside.result().status_code, listed.status_code)
    assert (503, "1") == (refused.status_code, refused.headers["Retry-After"])
    assert "places are taken" in refused.json()[key]
    numbers = gateway.http.get("/metrics").text
    assert f'dialect="{dialect}",model="other",outcome="rejected"' in numbers
    assert 'pictor_shed_total{reason="concurrency"} 1.0' in numbers


def test_a_wrong_time_limit_is_told_where_there_is_room(
    make_gateway: MakeGateway, picture: MakePicture
) -> None:
    """The gate leaves to others what is no question of room."""
    refused = make_gateway().http.post("/v1/classify", content=picture(), headers={HEADER: "no number"})
    assert 422 == refused.status_code


def _logged(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [vars(one)["fields"]["status"] for one in caplog.records if one.name == "pictor.access"]


def test_a_stranger_is_not_told_how_busy_it_is(
    make_gateway: MakeGateway,
    picture: MakePicture,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The key is looked at first: no model's name, no place counted; who has one is told."""
    held, key = HeldModel(), "k" * 43
    gateway = make_gateway(FakeBackend(held), max_concurrent_requests=1, api_keys=line_for("shop", key))
    known = {"X-API-Key": key}
    with ThreadPoolExecutor(1) as clients:
        inside = clients.submit(gateway.http.post, "/v1/classify", content=picture(), headers=known)
        eventually(lambda: len(held.calls) == 1)
        stranger = gateway.http.post("/v2/models/fake/infer", content=b"?")
        before = gateway.http.get("/metrics").text
        with caplog.at_level(logging.INFO):
            refused = gateway.http.post("/v1/classify", content=b"?", headers=known)
            eventually(lambda: 503 in _logged(caplog))  # the line comes after the answer
        gateway.loop.call_soon_threadsafe(held.calls[0].end)
        assert 200 == inside.result().status_code
    assert (401, ["error"]) == (stranger.status_code, list(stranger.json()))
    assert not [name for name in stranger.headers if name.startswith(("x-model", "retry-after"))]
    assert "pictor_shed_total{" not in before
    assert 503 == refused.status_code
    noted = [vars(record)["fields"] for record in caplog.records if record.name == "pictor.access"]
    assert [(503, "shop")] == [(one["status"], one["key"]) for one in noted if one["status"] == 503]
