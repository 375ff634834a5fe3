"""What is believed of what servers say: a version must prove itself, again and again, on each of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from colours import make_contract
from pictor_contract import ImageContract

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]
Change = Callable[[ImageContract], ImageContract]


def _versions(gateway: Any) -> dict[int, dict[str, Any]]:
    (model,) = gateway.http.get("/v1/models").json()["models"]
    return {one["version"]: one for one in model["versions"]}


def _golden(contract: ImageContract, **change: Any) -> ImageContract:
    assert contract.golden is not None
    return replace(contract, golden=replace(contract.golden, **change))


def test_a_half_loaded_version_is_never_used(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """AVAILABLE is no proof: it is refused, the version before goes on, and later it is tried again."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    server.load_half(2)
    eventually(lambda: _versions(gateway).get(2, {}).get("state") == "refused")
    assert "FAILED_PRECONDITION" in _versions(gateway)[2]["reason"]
    assert classify(gateway).json()["model"]["version"] == 1
    assert classify(gateway, version=2).status_code == 404
    assert any(
        line.startswith("colours/2 is refused.")
        for line in gateway.http.get("/readyz").json()["refused_versions"]
    )
    server.load_colours(2)
    eventually(lambda: classify(gateway).json()["model"]["version"] == 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda contract: _golden(contract, scores=(0.2, 0.3, 0.5)), "scores differ by"),
        (lambda contract: _golden(contract, pixels_sha256="0" * 64), "decodes to other pixels"),
        (lambda contract: _golden(contract, picture_base64="bm8gcGljdHVyZQ=="), "format"),
        (lambda contract: replace(contract, golden=None), "no golden example"),
    ],
)
def test_a_golden_example_that_does_not_hold_is_refused(
    tfs: Make, make_tfs_gateway: Make, change: Change, words: str
) -> None:
    """Other scores, other pixels, no picture, none at all: the gateway is not ready and says why."""
    server = tfs(versions=())
    server.load_colours(1, change=change)
    ready = make_tfs_gateway(server).http.get("/readyz")
    assert ready.status_code == 503
    (reason,) = ready.json()["reasons"]
    assert reason.startswith("colours/1 is refused. On 1 of 1 servers: ")
    assert words in reason


@pytest.mark.parametrize("how", ["other_scores", "no_json", "no_text", "garbage", "nan", "other_shape"])
def test_a_version_that_answers_nonsense_is_refused(tfs: Make, make_tfs_gateway: Make, how: str) -> None:
    """Whatever a model that is none of ours may answer, the gateway does not serve it."""
    server = tfs()
    server.faults.spoil(how)
    gateway = make_tfs_gateway(server)
    assert gateway.http.get("/readyz").status_code == 503
    assert _versions(gateway)[1]["state"] == "refused"


def test_a_version_that_begins_to_fail_is_proven_again(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """A few failures in a row cost it its credit; it gets it back with its golden example."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    server.faults.spoil("other_shape")
    eventually(lambda: classify(gateway).status_code == 503)
    assert _versions(gateway)[1]["state"] == "refused"
    server.faults.heal()
    eventually(lambda: classify(gateway).status_code == 200)


def test_a_restarted_server_is_not_believed_by_its_past(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Another model under the same number: its own contract and scores hold, or it is not served."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    before = classify(gateway).json()["model"]["digest"]
    server.stop()
    eventually(lambda: gateway.http.get("/readyz").status_code == 503)
    server.load_colours(1, change=lambda contract: replace(contract, made_by="another run"))
    server.start()
    eventually(lambda: classify(gateway).status_code == 200)
    assert classify(gateway).json()["model"]["digest"] != before
    server.stop()
    eventually(lambda: gateway.http.get("/readyz").status_code == 503)
    server.load_half(1)
    server.start()
    eventually(lambda: _versions(gateway).get(1, {}).get("state") == "refused")


def test_a_restart_that_nobody_saw_is_noticed_by_its_connection(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Down and up between two polls, with another model: the lost connection tells."""
    server = tfs()
    gateway = make_tfs_gateway(server, poll_interval_s=0.5)
    before = classify(gateway).json()["model"]["digest"]
    server.stop()
    server.load_colours(1, change=lambda contract: replace(contract, made_by="another run"))
    server.start()
    eventually(lambda: classify(gateway).json().get("model", {}).get("digest", before) != before)


def test_labels_that_nobody_gave_are_seldom_asked_for(
    tfs: Make, make_tfs_gateway: Make, eventually: Make
) -> None:
    """Each question would count among the server's failed requests."""
    server = tfs()
    server.label("stable", 1)
    make_tfs_gateway(server)
    polls = len(server.asked(method="GetModelStatus"))
    eventually(lambda: len(server.asked(method="GetModelStatus")) > polls + 20)
    asked = [call.label for call in server.asked(signature="contract")]
    assert asked.count("canary") <= 2
    assert asked.count("stable") > 10


def test_one_number_for_two_models_is_one_model_only(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """The contract that most servers have is served, by them alone; the other's server is told apart."""
    servers = [tfs(), tfs(), tfs(versions=())]
    servers[2].load_colours(1, change=lambda contract: replace(contract, made_by="another run"))
    gateway = make_tfs_gateway(*servers)
    proofs = len(servers[2].asked(signature="serving_default"))
    digests = {classify(gateway).json()["model"]["digest"] for _ in range(6)}
    assert digests == {make_contract("colours", 10.0).digest()}
    assert proofs == len(servers[2].asked(signature="serving_default"))
    assert "On 1 of 3 servers: another model" in _versions(gateway)[1]["reason"]


def test_a_rolling_update_moves_once(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """The newest version that at least half of the servers have is the one that is meant."""
    servers = [tfs(), tfs(), tfs()]
    gateway = make_tfs_gateway(*servers)
    servers[0].load_colours(2)
    eventually(lambda: _versions(gateway).get(2, {}).get("state") == "available")
    assert classify(gateway).json()["model"]["version"] == 1
    assert classify(gateway, version=2).json()["model"]["version"] == 2
    servers[1].load_colours(2)
    eventually(lambda: classify(gateway).json()["model"]["version"] == 2)
    servers[0].unload(1)
    assert {classify(gateway).json()["model"]["version"] for _ in range(6)} == {2}


def test_labels_are_followed_when_they_move(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """Configured ones with each look; one that nobody has is a 404."""
    server = tfs(versions=(1, 2))
    server.label("stable", 1)
    gateway = make_tfs_gateway(server)
    assert classify(gateway, label="stable").json()["model"]["version"] == 1
    assert gateway.http.get("/v1/models").json()["models"][0]["labels"] == {"stable": 1}
    server.label("stable", 2)
    eventually(lambda: classify(gateway, label="stable").json()["model"]["version"] == 2)
    server.label("stable", None)
    eventually(lambda: classify(gateway, label="stable").status_code == 404)


def test_a_label_is_learnt_when_a_request_names_it(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """From then on it is followed as well; a stranger's inventions are asked about once a second."""
    server = tfs(versions=(1, 2))
    server.label("gold", 1)
    gateway = make_tfs_gateway(server)
    assert classify(gateway, label="gold").json()["model"]["version"] == 1
    server.label("gold", 2)
    eventually(lambda: classify(gateway, label="gold").json()["model"]["version"] == 2)
    assert {classify(gateway, label="lead").json()["code"] for _ in range(5)} == {"label_not_found"}
    assert classify(gateway, label="no label").json()["code"] == "label_not_found"
    asked = [call.label for call in server.asked(signature="contract")]
    assert asked.count("lead") <= 2
    assert "no label" not in asked


def test_a_busy_server_still_proves_its_new_version(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """That it refuses the golden example for want of a thread says nothing about the version."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    server.faults.fail("RESOURCE_EXHAUSTED", times=3, method="Predict")
    server.load_colours(2)
    eventually(lambda: classify(gateway).json().get("model", {}).get("version") == 2)
