"""A folder's labels decide which version answers: promotion, rollback and canary without servers."""

import logging
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx
import pytest

from pictor_gateway.backends.store_labels import preferred
from pictor_store.changes import promote, prune, rollback, unlabel
from pictor_store.models.history import HISTORY_FOLDER
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store

Make = Callable[..., Any]
Publish = Callable[..., Path]
Eventually = Callable[[Callable[[], bool]], None]


def _status(http: httpx.Client) -> dict[str, Any]:
    (model,) = http.get("/v1/models").json()["models"]
    found: dict[str, Any] = model
    return found


def _loaded(http: httpx.Client) -> set[int]:
    return {one["version"] for one in _status(http)["versions"] if one["state"] == "available"}


def _answers(http: httpx.Client, picture: bytes, **query: object) -> str:
    params: Any = query
    answer = http.post("/v1/classify", content=picture, params=params, headers={"Content-Type": "image/png"})
    return answer.headers["X-Model-Version"] if answer.status_code == 200 else answer.json()["code"]


def test_stable_answers_and_the_newest_waits(
    make_gateway: Make, model: StoredModel, picture: Make, eventually: Eventually
) -> None:
    """What was published is loaded beside it, and answers those who name it."""
    http = make_gateway().http
    assert ("1", "3") == (_answers(http, picture()), _answers(http, picture(), version=3))
    assert ({"stable": 1}, {1, 3}) == (_status(http)["labels"], _loaded(http))
    promote(model, 2)
    eventually(lambda: _answers(http, picture()) == "2")
    assert "2" == _answers(http, picture(), label="stable")
    eventually(lambda: _loaded(http) == {1, 2, 3})
    rollback(model)
    eventually(lambda: _answers(http, picture()) == "1")


def test_versions_that_are_needed_stay_loaded(
    make_gateway: Make, model: StoredModel, publish: Publish, picture: Make, eventually: Eventually
) -> None:
    """Stable, canary, the one a rollback goes to, and the newest; the others are let go."""
    for version in (4, 5):
        publish("colours", version)
    promote(model, 2)
    promote(model, 4, label="canary")
    http = make_gateway(keep_versions=1).http
    assert {1, 2, 4, 5} == _loaded(http)
    promote(model, 3)
    eventually(lambda: _loaded(http) == {2, 3, 4, 5})
    unlabel(model, "canary")
    eventually(lambda: _loaded(http) == {2, 3, 5})
    assert "label_not_found" == _answers(http, picture(), label="canary")
    assert [1, 4] == prune(model, keep=1)
    eventually(lambda: _loaded(http) == {2, 3, 5})


def test_a_canary_of_the_store_gets_its_share(
    make_gateway: Make, model: StoredModel, picture: Make, eventually: Eventually
) -> None:
    """As with servers: by its label, once it is loaded."""
    http = make_gateway(canary_share=1).http
    assert "1" == _answers(http, picture())
    promote(model, 2, label="canary")
    eventually(lambda: _answers(http, picture()) == "2")
    assert _status(http)["canary"]["active"]
    promote(model, 2)
    eventually(lambda: "canary" not in _status(http))
    assert "2" == _answers(http, picture())


def test_a_stable_version_that_cannot_be_loaded_leaves_the_one_before(
    make_gateway: Make, model: StoredModel, store: Path, picture: Make, eventually: Eventually
) -> None:
    """While the gateway runs, and after its start; both say so."""
    running = make_gateway().http
    (store / "colours" / "2" / "extra").write_bytes(b"x")
    model.record("promoted", 2, {"stable": 2})
    line = "The label stable names version 2, which is not loaded; 1 answers for it."
    for http in (running, make_gateway().http):
        eventually(lambda http=http: line in http.get("/readyz").json()["refused_versions"])
        assert ("1", {"stable": 1}) == (_answers(http, picture()), _status(http)["labels"])
    (store / "colours" / "2" / "extra").unlink()
    eventually(lambda: _answers(running, picture()) == "2")


def test_without_a_stable_version_nobody_else_answers(
    make_gateway: Make, model: StoredModel, store: Path, picture: Make
) -> None:
    """Not the newest, which nobody released: who names it gets it."""
    shutil.rmtree(store / "colours" / "1")
    http = make_gateway().http
    assert ("model_not_ready", "3") == (_answers(http, picture()), _answers(http, picture(), version=3))
    ready = http.get("/readyz")
    assert 503 == ready.status_code
    line = "The label stable names version 1, which is not loaded; nothing answers for it."
    assert line in ready.json()["reasons"]


def test_a_stable_version_that_vanishes_goes_on_from_memory(
    make_gateway: Make,
    model: StoredModel,
    store: Path,
    publish: Publish,
    picture: Make,
    eventually: Eventually,
) -> None:
    """Its label says that it is meant; another one that vanishes is let go."""
    http = make_gateway().http
    assert {1, 3} == _loaded(http)
    for version in (1, 3):
        shutil.rmtree(store / "colours" / str(version))
    publish("colours", 4)
    eventually(lambda: _loaded(http) == {1, 4})
    assert "1" == _answers(http, picture())


def _spoil_history(store: Path) -> Path:
    last = max((store / "colours" / HISTORY_FOLDER).iterdir())
    damaged = last.with_name(f"{int(last.stem) + 1:08d}.json")
    damaged.write_bytes(b'{"sequence": ')
    return damaged


def test_a_history_that_cannot_be_read_changes_nothing(
    make_gateway: Make,
    model: StoredModel,
    store: Path,
    picture: Make,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The labels go on as they were known, trouble is told once, and over when the file is whole again."""
    http = make_gateway().http
    with caplog.at_level(logging.WARNING, "pictor.models"):
        damaged = _spoil_history(store)
        eventually(lambda: damaged.name in str(http.get("/readyz").json()["refused_versions"]))
    assert (200, "1", {"stable": 1}) == (
        http.get("/readyz").status_code,
        _answers(http, picture()),
        _status(http)["labels"],
    )
    assert str(store) not in http.get("/readyz").text
    assert 1 == sum(damaged.name in one.getMessage() for one in caplog.records)
    damaged.unlink()
    eventually(lambda: http.get("/readyz").json()["refused_versions"] == [])


def test_a_gateway_that_never_read_the_history_waits_for_it(
    make_gateway: Make, model: StoredModel, store: Path, picture: Make, eventually: Eventually
) -> None:
    """Which version is meant is not known: the newest might be nobody's answer."""
    damaged = _spoil_history(store)
    http = make_gateway().http
    assert "model_not_ready" == _answers(http, picture())
    ready = http.get("/readyz")
    assert 503 == ready.status_code
    assert damaged.name in ready.json()["reasons"][0]
    damaged.unlink()
    eventually(lambda: _answers(http, picture()) == "1")


def test_a_store_that_vanishes_for_a_while_keeps_its_labels(
    make_gateway: Make, model: StoredModel, store: Path, picture: Make, eventually: Eventually
) -> None:
    """A network file system that is gone says nothing of labels."""
    http = make_gateway().http
    away = store.with_name("away")
    store.rename(away)
    eventually(lambda: http.get("/readyz").json()["refused_versions"] != [])
    assert ("1", {"stable": 1}) == (_answers(http, picture()), _status(http)["labels"])
    promote(open_store(away).model("colours"), 2)
    away.rename(store)
    eventually(lambda: _answers(http, picture()) == "2")


@pytest.mark.parametrize(
    ("labels", "loaded", "expected"),
    [
        ({}, {1, 2}, None),
        ({"stable": 1}, {1, 2}, 1),
        ({"stable": 3}, {1, 2}, 3),
        ({"canary": 2}, {1, 2}, 1),
        ({"canary": 2}, {2}, None),
        ({"gold": 1}, {1, 2}, None),
    ],
)
def test_who_is_meant_without_a_name(
    labels: dict[str, int], loaded: Collection[int], expected: int | None
) -> None:
    """Stable decides; without it the newest, but for a canary."""
    assert expected == preferred(labels, loaded)
