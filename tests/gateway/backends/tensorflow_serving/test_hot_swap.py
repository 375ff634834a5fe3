"""Versions and servers come and go while requests are in flight: none fails, and each answer is right."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import numpy as np

from colours import COLOURS, colour_scores, make_contract
from pictor_contract import ImageContract, PictureInput, decode

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]


def _assert_right(answers: list[httpx.Response], picture: bytes, versions: set[int]) -> None:
    """Hold each answer against the scores of the version it names."""
    assert {answer.status_code for answer in answers} == {200}
    pixels = decode(picture, make_contract("colours", 10.0))[np.newaxis]
    wanted = {
        version: dict(zip(COLOURS, colour_scores(pixels, 10.0 * version)[0], strict=True))
        for version in versions
    }
    for answer in answers:
        body = answer.json()
        scores = wanted[body["model"]["version"]]
        for one in body["predictions"]:
            assert abs(scores[one["label"]] - one["score"]) < 1e-5


def _larger(contract: ImageContract) -> ImageContract:
    """Return the contract for another input size; the golden picture has one colour, so the same scores."""
    other = replace(contract, input=PictureInput(height=12, width=16))
    assert other.golden is not None
    pixels = decode(b64decode(other.golden.picture_base64), other)
    return replace(other, golden=replace(other.golden, pixels_sha256=sha256(pixels.tobytes()).hexdigest()))


def _at_least(answers: list[httpx.Response], more: int) -> Callable[[], bool]:
    enough = len(answers) + more
    return lambda: len(answers) >= enough


def _newest_is(answers: list[httpx.Response], version: int) -> Callable[[], bool]:
    return lambda: bool(answers[-1].json()["model"]["version"] == version)


def test_a_hot_swap_and_a_rollback_fail_no_request(
    tfs: Make, make_tfs_gateway: Make, under_load: Make, eventually: Make, picture: Callable[..., bytes]
) -> None:
    """The old version is unloaded as soon as the new one is there, as TensorFlow Serving does."""
    server = tfs()
    gateway = make_tfs_gateway(server, poll_interval_s=1.0)
    with under_load(gateway) as answers:
        for here, gone in ((2, 1), (1, 2), (3, 1)):
            eventually(_at_least(answers, 20))
            server.load_colours(here)
            server.unload(gone)
        eventually(_newest_is(answers, 3))
    _assert_right(answers, picture(), {1, 2, 3})
    assert {answer.json()["model"]["version"] for answer in answers} == {1, 2, 3}


def test_pictures_are_decoded_anew_for_a_version_of_another_size(
    tfs: Make, make_tfs_gateway: Make, under_load: Make, eventually: Make
) -> None:
    """A request in flight follows the model to its new input size."""
    server = tfs()
    gateway = make_tfs_gateway(server, poll_interval_s=1.0)
    with under_load(gateway) as answers:
        eventually(_at_least(answers, 20))
        server.load_colours(2, change=_larger)
        server.unload(1)
        eventually(_newest_is(answers, 2))
    assert {answer.status_code for answer in answers} == {200}


def test_one_of_two_servers_dies_under_load_and_comes_back(
    tfs_process: Make,
    make_tfs_gateway: Make,
    under_load: Make,
    eventually: Make,
    picture: Callable[..., bytes],
) -> None:
    """Kill -9 and restart of each server in turn: every request is answered, and rightly."""
    servers = [tfs_process(begin=[("slow", {"delay_s": 0.01})]) for _ in range(2)]
    gateway = make_tfs_gateway(*servers, poll_interval_s=1.0)

    def up(server: Any) -> bool:
        value = gateway.registry.get_sample_value("pictor_server_up", {"server": server.address})
        return bool(value == 1)

    with under_load(gateway, clients=8) as answers:
        for server in servers:
            eventually(_at_least(answers, 30))
            server.kill()
            eventually(_at_least(answers, 30))
            server.start()
            eventually(lambda server=server: up(server))
        eventually(_at_least(answers, 30))
    _assert_right(answers, picture(), {1})


def test_the_only_server_may_break_its_connections(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """A quick restart is no reason to refuse anybody: requests wait a moment for it."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    assert classify(gateway).status_code == 200
    server.stop()
    server.start()
    assert classify(gateway).status_code == 200


def test_a_request_for_a_version_that_is_unloaded_is_told_so(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """Nobody who asks for a number gets another version's answer."""
    server = tfs(versions=(1, 2))
    gateway = make_tfs_gateway(server, poll_interval_s=30)
    assert classify(gateway, version=1).json()["model"]["version"] == 1
    server.unload(1)
    answer = classify(gateway, version=1)
    assert (404, "version_not_found") == (answer.status_code, answer.json()["code"])
    assert classify(gateway).json()["model"]["version"] == 2


def test_a_version_whose_only_server_is_away_may_come_back(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Who asks for it by number is told to try again, not that there is no such version."""
    both, one = tfs(versions=(1, 2)), tfs(versions=(1,))
    gateway = make_tfs_gateway(both, one)
    assert classify(gateway, version=2).status_code == 200
    both.stop()
    eventually(lambda: classify(gateway, version=1).status_code == 200)
    eventually(lambda: classify(gateway, version=2).status_code == 503)
    answer = classify(gateway, version=2)
    assert ("model_not_ready", True) == (answer.json()["code"], "Retry-After" in answer.headers)
    both.start()
    eventually(lambda: classify(gateway, version=2).status_code == 200)


def test_a_label_that_moves_takes_its_requests_along(
    tfs: Make, make_tfs_gateway: Make, under_load: Make, eventually: Make, picture: Callable[..., bytes]
) -> None:
    """The version it meant is unloaded at once; no request by the label fails."""
    server = tfs()
    server.label("stable", 1)
    gateway = make_tfs_gateway(server, poll_interval_s=1.0)
    with under_load(gateway, path="/v1/classify?label=stable") as answers:
        eventually(_at_least(answers, 20))
        server.load_colours(2)
        server.label("stable", 2)
        server.unload(1)
        eventually(_at_least(answers, 20))
    _assert_right(answers, picture(), {1, 2})
    assert answers[-1].json()["model"]["version"] == 2
