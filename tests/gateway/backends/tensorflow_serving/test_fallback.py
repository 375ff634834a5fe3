"""The models folder as the answer of last resort."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from gateway.fakes import FakeBackend, FakeModel
from pictor_gateway import ModelStatus, VersionStatus
from pictor_gateway.backends.fallback import FallbackBackend

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]


class _Side(FakeBackend):
    """A backend that has the versions a test says."""

    def __init__(self, *versions: int) -> None:
        super().__init__(FakeModel())
        self.wanted: dict[str, set[int]] = {}
        self.have(*versions)

    def have(self, *versions: int) -> None:
        """Have these and no others."""
        found = (VersionStatus(one, "available", served=FakeModel(version=one)) for one in versions)
        self._models = (ModelStatus("fake", tuple(found)),)

    def models(self) -> Sequence[ModelStatus]:
        """Return the one model."""
        return self._models

    def want(self, model: str, versions: Collection[int]) -> None:
        """Take note."""
        self.wanted[model] = set(versions)


def test_the_folder_answers_when_every_server_is_gone(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path, eventually: Make
) -> None:
    """The answer says so, the metrics count it, and the servers take over again when they are back."""
    servers = [tfs(), tfs()]
    gateway = make_tfs_gateway(*servers, models=store)
    assert classify(gateway).json()["backend"] == "tensorflow_serving"
    for server in servers:
        server.stop()
    answer = classify(gateway)
    assert (200, "embedded") == (answer.status_code, answer.json()["backend"])
    assert gateway.http.get("/readyz").status_code == 200
    assert gateway.registry.get_sample_value("pictor_fallback_pictures_total", {"model": "colours"}) == 1
    servers[1].start()
    eventually(lambda: classify(gateway).json()["backend"] == "tensorflow_serving")


def test_requests_in_flight_are_answered_by_the_folder(
    tfs: Make, make_tfs_gateway: Make, under_load: Make, store: Path, eventually: Make
) -> None:
    """The servers die in the middle of it: no request fails."""
    server = tfs()
    gateway = make_tfs_gateway(server, models=store)
    with under_load(gateway) as answers:
        eventually(lambda: len(answers) >= 20)
        server.stop()
        eventually(lambda: answers[-1].json().get("backend") == "embedded")
    assert {answer.status_code for answer in answers} == {200}


def test_an_explicit_version_is_never_replaced_by_another(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path
) -> None:
    """The folder has version 1 and the servers had 1 and 2: who names neither means 2, which is stable."""
    server = tfs(versions=(1, 2))
    server.label("stable", 2)
    server.label("canary", 1)
    gateway = make_tfs_gateway(server, models=store)
    assert classify(gateway, version=2).status_code == 200
    server.stop()
    assert classify(gateway, version=1).json()["backend"] == "embedded"
    assert (503, "model_not_ready") == (classify(gateway).status_code, classify(gateway).json()["code"])
    assert classify(gateway, label="canary").json()["backend"] == "embedded"
    assert classify(gateway, version=2).json()["code"] == "version_not_found"
    assert classify(gateway, label="stable").json()["code"] == "label_not_found"
    ready = gateway.http.get("/readyz")
    assert 503 == ready.status_code
    assert "The models folder has no colours/2 as the servers had it, loaded." in ready.json()["reasons"]


def test_a_version_that_was_rolled_back_is_no_answer(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path, publish: Make, eventually: Make
) -> None:
    """The folder's newest is the bad one: what the servers prefer is loaded beside it, and answers."""
    publish("colours", 2)
    server = tfs(versions=(1, 2))
    gateway = make_tfs_gateway(server, models=store, keep_versions=1)
    assert classify(gateway).json()["model"]["version"] == 2
    server.unload(2)
    eventually(lambda: classify(gateway).json()["model"]["version"] == 1)
    embedded = gateway.backend._embedded
    eventually(lambda: [2, 1] == [one.version for one in embedded.models()[0].available])
    server.stop()
    answer = classify(gateway).json()
    assert ("embedded", 1) == (answer["backend"], answer["model"]["version"])
    assert classify(gateway, version=2).json()["code"] == "version_not_found"


def test_the_same_number_of_another_model_does_not_stand_in(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path
) -> None:
    """Its digest tells: nobody answers for version 1, named or not."""
    server = tfs(versions=())
    server.load_colours(1, change=lambda contract: replace(contract, made_by="another run"))
    gateway = make_tfs_gateway(server, models=store)
    assert classify(gateway).json()["backend"] == "tensorflow_serving"
    server.stop()
    assert 503 == classify(gateway).status_code
    assert 503 == classify(gateway, version=1).status_code


def test_the_newest_of_the_folder_answers_if_no_server_was_ever_heard(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path, publish: Make
) -> None:
    """Nothing is known of what they would have served."""
    publish("colours", 2)
    server = tfs()
    server.stop()
    answer = classify(make_tfs_gateway(server, models=store)).json()
    assert ("embedded", 2) == (answer["backend"], answer["model"]["version"])


def test_what_stood_in_is_forgotten_when_it_does_no_more() -> None:
    """It would keep the memory of a version that was replaced long ago."""
    primary, embedded = _Side(), _Side(1)
    both: Any = FallbackBackend(primary, embedded)
    (first,) = both.models()
    assert [first.available[0]] == list(both._stand_ins.values())
    embedded.have(2)
    (second,) = both.models()
    assert [second.available[0]] == list(both._stand_ins.values())
    primary.have(2)
    assert 1 == len(both.models())
    assert {} == both._stand_ins
    assert {"fake": {2}} == embedded.wanted


def test_no_fallback_if_the_setting_forbids_it(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, store: Path
) -> None:
    """Then the answer is 503 and says when to come again."""
    server = tfs()
    gateway = make_tfs_gateway(server, models=store, fallback=False)
    server.stop()
    answer = classify(gateway)
    assert 503 == answer.status_code
    assert answer.json()["code"] in {"backend_unavailable", "model_not_ready"}
    assert "Retry-After" in answer.headers


def test_a_folder_without_the_model_changes_nothing(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, tmp_path: Path, publish: Make
) -> None:
    """Models that were not asked for are not served from it either."""
    publish("other", 1)
    server = tfs()
    gateway = make_tfs_gateway(server, models=tmp_path / "store", model="colours")
    assert ["colours"] == [model["name"] for model in gateway.http.get("/v1/models").json()["models"]]
    assert classify(gateway, model="other").json()["code"] == "model_not_found"
    gateway = make_tfs_gateway(server, models=tmp_path / "nowhere")
    assert classify(gateway).json()["backend"] == "tensorflow_serving"
    server.stop()
    assert classify(gateway).status_code == 503


def test_a_folder_serves_only_the_models_asked_for(
    publish: Make, make_tfs_gateway: Make, store: Path
) -> None:
    """`--model` holds for a folder alone as well."""
    publish("other", 1)
    gateway = make_tfs_gateway(tfs=None, models=store, model="other")
    assert ["other"] == [model["name"] for model in gateway.http.get("/v1/models").json()["models"]]
