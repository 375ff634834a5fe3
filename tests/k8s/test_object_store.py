"""components/object-store: models come from a bucket, and nothing looks for a volume any more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from k8s.checks.every import faults
from k8s.checks.reading import at, quantity, templates
from k8s.reachability import Place, may_speak
from k8s.rendering import Object, combined, of_kind
from pictor_store.cli.mirror import mirror
from pictor_store.places import is_url
from pictor_training.retraining.loading import load_retrain_config
from pictor_training.retraining.tools import servers_of

INTERNET: Final = Place("internet", address="203.0.113.7")
NODE_CREDENTIALS: Final = Place("metadata", address="169.254.169.254")
HTTPS: Final = 443

OVERLAYS: Final = {
    "local": (["object-store"], ["overlays/local"]),
    "production": (["object-store"], ["overlays/production"]),
    "embedded": (
        ["network-policies", "embedded", "object-store", "object-store/embedded"],
        ["base/storage", "base/gateway", "base/tf-serving", "base/retrain"],
    ),
}
MIRRORED: Final = {"local": "tf-serving", "production": "tf-serving", "embedded": "gateway"}


@pytest.fixture(params=OVERLAYS)
def name(request: pytest.FixtureRequest) -> str:
    """Name each way to use it."""
    return str(request.param)


@pytest.fixture
def objects(name: str) -> tuple[Object, ...]:
    """Render it."""
    return combined(*OVERLAYS[name])


@pytest.fixture
def pod(name: str, objects: tuple[Object, ...]) -> Object:
    """Return the spec of the pods that have a mirror beside them."""
    (found,) = [one for one in templates(objects) if one.name == f"pictor-{MIRRORED[name]}"]
    return found.spec


def sidecar(pod: Object) -> Any:
    """Return the mirror."""
    (found,) = [one for one in pod["initContainers"] if one["name"] == "mirror"]
    return found


def flags(container: Object) -> dict[str, str]:
    """Return the flags of a `pictor` container, by name."""
    pairs = (word.removeprefix("--").partition("=") for word in container["args"] if word.startswith("--"))
    return {flag: value for flag, _, value in pairs}


def volume(pod: Object, called: str) -> Object:
    """Return a volume of the pod."""
    (found,) = [one for one in pod["volumes"] if one["name"] == called]
    return dict(found)


def test_nothing_of_it_is_at_fault(name: str, objects: tuple[Object, ...]) -> None:
    """All checks: references, security, resources, arguments that the real command line takes."""
    components, bases = OVERLAYS[name]
    without = combined([one for one in components if not one.startswith("object-store")], bases)
    assert [] == [fault for fault in faults(objects) if fault not in faults(without)]


def test_nobody_looks_for_the_models_volume(objects: tuple[Object, ...]) -> None:
    """Neither the claim nor a reference to it is left."""
    assert "pictor-models" not in [
        claim["metadata"]["name"] for claim in of_kind(objects, "PersistentVolumeClaim")
    ]
    claims = {
        at(one, "persistentVolumeClaim", "claimName")
        for template in templates(objects)
        for one in template.spec.get("volumes", [])
    }
    assert "pictor-models" not in claims


def test_a_sidecar_comes_before_whoever_waits_for_models(name: str, pod: Object) -> None:
    """It goes on beside the server; it alone writes the folder."""
    names = [one["name"] for one in pod["initContainers"]]
    assert "mirror" == names[0]
    assert ["mirror"] == [
        one["name"] for one in pod["initContainers"] if one.get("restartPolicy") == "Always"
    ]
    writers = [
        one["name"]
        for one in [*pod["initContainers"], *pod["containers"]]
        for mount in one["volumeMounts"]
        if mount["name"] == "models" and not mount.get("readOnly")
    ]
    assert ["mirror"] == writers
    if name != "embedded":
        waiting = flags(pod["initContainers"][1])
        assert flags(sidecar(pod))["models-config"] == waiting["models-config"]


def test_the_mirror_goes_on_and_tells_its_own_server(name: str, pod: Object) -> None:
    """By what its own parser reads: labels move on no other server, and the file is the server's."""
    parsed = mirror.make_context("mirror", sidecar(pod)["args"][2:]).params
    assert parsed["once"] is False
    assert Path("/models") == parsed["into"]
    if name == "embedded":
        assert ("", None) == (parsed["tfs"], parsed["models_config"])
        return
    (server,) = pod["containers"]
    told = flags(server)
    assert f"127.0.0.1:{told['port']}" == parsed["tfs"]
    assert told["model_config_file"] == str(parsed["models_config"])
    assert "true" == told["allow_version_labels_for_unavailable_models"]


def test_a_pod_is_never_evicted_for_its_models(pod: Object) -> None:
    """What the mirror may bring is less than the folder, and that less than the pod's share of the disk."""
    folder = quantity(volume(pod, "models")["emptyDir"]["sizeLimit"])
    most = int(flags(sidecar(pod))["max-bytes"])
    limits = sidecar(pod)["resources"]["limits"]
    assert most <= 0.8 * float(folder)
    assert folder + quantity("256Mi") <= quantity(limits["ephemeral-storage"])


def test_the_url_stands_in_one_place(objects: tuple[Object, ...]) -> None:
    """Whoever needs it has it in its environment, by a name that changes with it."""
    maps = [one for one in of_kind(objects, "ConfigMap") if "STORE_URL" in (one.get("data") or {})]
    assert 1 == len(maps)
    assert is_url(maps[0]["data"]["STORE_URL"])
    users = [
        container
        for template in templates(objects)
        for container in template.containers
        if any("$(STORE_URL)" in word for word in container.get("args") or [])
    ]
    assert {"mirror", "retrain", "rollback", "promote"} <= {one["name"] for one in users}
    for container in users:
        sources = container["envFrom"]
        assert maps[0]["metadata"]["name"] in [at(one, "configMapRef", "name") for one in sources]
        assert {"name": "pictor-object-store", "optional": True} in [one.get("secretRef") for one in sources]


def test_the_night_publishes_to_the_bucket_and_waits_for_no_server(
    objects: tuple[Object, ...], tmp_path: Path
) -> None:
    """By the job's own reader of its file and its arguments."""
    (text,) = [
        one["data"]["retrain.yaml"] for one in of_kind(objects, "ConfigMap") if "retrain.yaml" in one["data"]
    ]
    (tmp_path / "retrain.yaml").write_text(text)
    for container in _named(objects, "retrain"):
        words = [word.replace("$(STORE_URL)", "s3://acme/models") for word in container["args"][2:]]
        config = load_retrain_config(tmp_path / "retrain.yaml", words)
        assert "s3://acme/models" == config.store
        assert not servers_of(config.publish)


@pytest.mark.parametrize("job", ["rollback", "promote"])
def test_people_s_jobs_move_labels_in_the_bucket(job: str, objects: tuple[Object, ...]) -> None:
    """And tell nobody."""
    (container,) = _named(objects, job)
    assert "$(STORE_URL)" == flags(container)["store"]
    assert not {"tfs", "models-config", "base-path"} & set(flags(container))


def _named(objects: Sequence[Object], called: str) -> list[Object]:
    return [
        container
        for template in templates(objects)
        if template.kind in {"CronJob", "Job"}
        for container in template.containers
        if container["name"] == called
    ]


@pytest.mark.parametrize("name", ["production", "embedded"])
def test_policies_let_through_the_bucket_and_no_more(name: str, objects: tuple[Object, ...]) -> None:
    """Whoever has a mirror, and the jobs; not the addresses at which nodes give away their credentials."""
    policies = of_kind(objects, "NetworkPolicy")
    assert policies
    for template in templates(objects):
        place = Place(template.name, template.namespace, template.labels)
        reads = any("$(STORE_URL)" in str(one.get("args")) for one in template.containers)
        assert reads == may_speak(policies, place, INTERNET, HTTPS), template.name
        for port in (80, HTTPS):
            assert not may_speak(policies, place, NODE_CREDENTIALS, port)


def test_without_policies_there_is_none() -> None:
    """One of its own would cut off all that it does not name."""
    assert [] == of_kind(combined(["object-store"]), "NetworkPolicy")
