"""Stable and canary on TensorFlow Serving: by the servers' own labels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pictor_contract import ImageContract
from pictor_gateway.settings import InvalidSettings, Settings
from pictor_store.changes import promote
from pictor_store.models.store import open_store

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]


def _server(tfs: Make, **versions: int) -> Any:
    """Start a server whose labels mean these versions."""
    server = tfs(versions=sorted(set(versions.values())))
    for label, version in versions.items():
        server.label(label, version)
    return server


def _version(answer: httpx.Response) -> str:
    return answer.headers["X-Model-Version"] if answer.status_code == 200 else answer.json()["code"]


def _other_labels(contract: ImageContract) -> ImageContract:
    return replace(contract, labels=("red", "green", "blue"))


def test_stable_answers_and_not_the_newest(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Its label decides; the canary and others are for those who name them."""
    server = _server(tfs, stable=1, canary=2)
    server.load_colours(3)
    gateway = make_tfs_gateway(server)
    assert ["1", "2", "3"] == [
        _version(classify(gateway, **query)) for query in ({}, {"label": "canary"}, {"version": 3})
    ]
    server.label("stable", 3)
    eventually(lambda: _version(classify(gateway)) == "3")


def test_a_canary_on_the_servers_gets_its_share_and_is_rescued(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """It breaks after it was proven, as a half copied version does."""
    server = _server(tfs, stable=1, canary=2)
    gateway = make_tfs_gateway(server, canary_share=1, poll_interval_s=30)
    assert "2" == _version(classify(gateway))
    server.load_half(2)
    for _ in range(4):
        assert "1" == _version(classify(gateway))
    (model,) = gateway.http.get("/v1/models").json()["models"]
    assert not model["canary"]["active"]


def test_a_canary_that_is_unloaded_costs_nobody_an_answer(
    tfs: Make, make_tfs_gateway: Make, under_load: Make, eventually: Make
) -> None:
    """Gone without a word, set again, promoted: under load, with shadow traffic beside it."""
    server = _server(tfs, stable=1, canary=2)
    gateway = make_tfs_gateway(
        server, canary_share=0.5, shadow_share=0.5, poll_interval_s=1.0, canary_min_agreement=0
    )

    def more() -> None:
        enough = len(answers) + 20
        eventually(lambda: len(answers) >= enough)

    with under_load(gateway) as answers:
        more()
        server.unload(2)
        more()
        server.load_colours(2)
        more()
        server.load_colours(3)
        server.label("canary", 3)
        more()
        server.label("stable", 3)
        server.label("canary", None)
        server.unload(1)
        server.unload(2)
        eventually(lambda: answers[-1].headers["X-Model-Version"] == "3")
        more()
    assert {200} == {answer.status_code for answer in answers}
    assert {"1", "2", "3"} == {answer.headers["X-Model-Version"] for answer in answers}


def test_a_stable_version_that_is_gone_does_not_make_the_canary_stable(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Its share is what its operator allowed. Another version may take over, as it would without labels."""
    server = _server(tfs, stable=1, canary=2)
    gateway = make_tfs_gateway(server, canary_share=0.5)
    assert 200 == classify(gateway).status_code
    server.unload(1)
    eventually(lambda: _version(classify(gateway)) == "model_not_ready")
    assert "2" == _version(classify(gateway, label="canary"))
    server.load_colours(3)
    eventually(lambda: classify(gateway).status_code == 200)
    sessions = [classify(gateway, headers={"X-Session-ID": f"session-{number}"}) for number in range(20)]
    assert {"2", "3"} == {_version(answer) for answer in sessions}


def test_mirrored_pictures_make_batches_with_the_others(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """They are asked as all others are; a canary with other names for its labels disagrees."""
    server = _server(tfs, stable=1)
    server.load_colours(2, change=_other_labels)
    server.label("canary", 2)
    gateway = make_tfs_gateway(server, shadow_share=1)

    def canary() -> Any:
        return gateway.http.get("/v1/models").json()["models"][0]["canary"]

    assert "1" == _version(classify(gateway))
    eventually(lambda: canary()["pictures"] == 1)
    assert 0 == canary()["agreement"]


def test_the_folder_that_stands_in_heeds_its_own_labels(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path, publish: Make
) -> None:
    """No server was heard since the start: the folder's stable answers, not its newest."""
    publish("colours", 2)
    promote(open_store(store).model("colours"), 1)
    server = tfs()
    server.stop()
    gateway = make_tfs_gateway(server, models=store)
    assert ("embedded", "1") == (classify(gateway).json()["backend"], _version(classify(gateway)))


@pytest.mark.parametrize("share", ["canary_share", "shadow_share"])
def test_labels_that_are_not_asked_for_split_nothing(share: str) -> None:
    """Told at the start, not found out by waiting for a canary that never comes."""
    flags = {"tfs": "a:8500", "model": "pets", "version_labels": "stable", share: "0.1"}
    with pytest.raises(InvalidSettings, match="need --version-labels with canary"):
        Settings.load(flags, {})
    assert Settings.load({**flags, "version_labels": "canary,gold,stable"}, {})
