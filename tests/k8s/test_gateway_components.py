"""What api-keys, canary, capture and embedded make of an installation."""

from typing import Any, Final

import pytest

from k8s.rendering import BASES, K8S, Object, combined, of_kind
from k8s.test_gateway import container_of, one, pod_of, settings_of
from pictor_gateway.entrance.api_keys import DefaultRate, read_lines
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.loading import load_retrain_config

_LOCAL: Final = ("overlays/local",)


@pytest.fixture(params=[BASES, _LOCAL], ids=["base", "local"])
def below(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Give what components stand on: nothing but the base, or an overlay that has its own patches."""
    bases: tuple[str, ...] = request.param
    return bases


def mounted(spec: Object, name: str) -> tuple[Object, Object]:
    """Return a volume of a pod and its one mount."""
    (volume,) = [one for one in spec["volumes"] if one["name"] == name]
    (mount,) = [
        mount for each in spec["containers"] for mount in each["volumeMounts"] if mount["name"] == name
    ]
    return volume, mount


def night(objects: tuple[Object, ...], tmp_path: Any, name: str = "pictor-retrain") -> RetrainConfig:
    """Return the retraining job's configuration, read as the job reads it: its file, then its arguments."""
    (config,) = [
        found["data"]["retrain.yaml"]
        for found in of_kind(objects, "ConfigMap")
        if "retrain.yaml" in found.get("data", {})
    ]
    (tmp_path / "retrain.yaml").write_text(config, encoding="utf-8")
    command, _, *overrides = arguments(objects, name)
    assert "retrain" == command
    return load_retrain_config(tmp_path / "retrain.yaml", overrides)


def job(objects: tuple[Object, ...], name: str) -> Object:
    """Return the pod's spec of a CronJob."""
    (found,) = [one for one in of_kind(objects, "CronJob") if one["metadata"]["name"] == name]
    spec: Object = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def arguments(objects: tuple[Object, ...], name: str) -> list[str]:
    """Return what a CronJob's container is called with."""
    (container,) = job(objects, name)["containers"]
    return list(container["args"])


def test_api_keys_come_from_a_mounted_folder(below: tuple[str, ...]) -> None:
    """So that a change arrives without a restart: no subPath, and no name that changes with what is in it."""
    objects = combined(["api-keys"], below)
    (secret,) = of_kind(objects, "Secret")
    volume, mount = mounted(pod_of(objects), "api-keys")
    file = settings_of(objects).api_keys_file
    assert file is not None
    assert ("pictor-api-keys", "pictor-api-keys") == (
        secret["metadata"]["name"],
        volume["secret"]["secretName"],
    )
    assert str(file.parent) == mount["mountPath"]
    assert {file.name} == set(secret["data"])
    assert mount["readOnly"]
    assert "subPath" not in mount


def test_no_key_is_in_the_repository() -> None:
    """The gateway starts closed: whoever installs it makes the first key."""
    text = (K8S / "components" / "api-keys" / "keys.txt").read_text(encoding="utf-8")
    assert {} == read_lines([("keys.txt", line) for line in text.splitlines()], DefaultRate(None, 1))


def test_with_canary_the_night_publishes_what_few_meet(below: tuple[str, ...], tmp_path: Any) -> None:
    """Gateways give it its share, and the version that serves stays stable until somebody decides."""
    objects = combined(["canary"], below)
    settings = settings_of(objects)
    assert 0 < settings.canary_share < 0.5
    assert 0 < settings.shadow_share < 0.5
    assert "canary" == night(objects, tmp_path).publish.label
    assert "stable" == night(combined([], below), tmp_path).publish.label


def test_captured_pictures_go_from_the_gateways_to_the_night(below: tuple[str, ...], tmp_path: Any) -> None:
    """Gateways write; the job reads, and has the place among its sources."""
    objects = combined(["capture"], below)
    settings = settings_of(objects)
    volume, mount = mounted(pod_of(objects), "samples")
    assert settings.capture == mount["mountPath"]
    assert settings.feedback
    assert settings.capture_consent
    assert not mount.get("readOnly")
    volume_there, mount_there = mounted(job(objects, "pictor-retrain"), "samples")
    assert mount_there["readOnly"]
    assert volume_there["persistentVolumeClaim"] == {**volume["persistentVolumeClaim"], "readOnly": True}
    assert mount_there["mountPath"] in [source.samples for source in night(objects, tmp_path).sources]


def test_every_gateway_signs_with_the_same_secret() -> None:
    """It is asked for, not optional: without it feedback would be refused by all gateways but one."""
    (variable,) = container_of(combined(["capture"]))["env"]
    assert "PICTOR_FEEDBACK_SECRET" == variable["name"]
    assert {"name": "pictor-feedback", "key": "secret"} == variable["valueFrom"]["secretKeyRef"]


def test_captured_pictures_fit_their_volume() -> None:
    """Twice, because what is beyond the limit is deleted only now and then."""
    objects = combined(["capture"])
    (claim,) = [
        found
        for found in of_kind(objects, "PersistentVolumeClaim")
        if found["metadata"]["name"] == "pictor-samples"
    ]
    most = settings_of(objects).capture_max_bytes
    assert f"{2 * most // 2**30}Gi" == claim["spec"]["resources"]["requests"]["storage"]


def test_embedded_leaves_nothing_of_the_servers(below: tuple[str, ...], tmp_path: Any) -> None:
    """No object, no address, and no job that would wait for one; the demo's first night neither."""
    objects = combined(["embedded"], below)
    names = [f"{found['kind']}/{found['metadata']['name']}" for found in objects]
    assert [] == [name for name in names if "tf-serving" in name]
    publish = night(objects, tmp_path).publish
    assert (None, None, None) == (publish.tfs, publish.models_config, publish.base_path)
    for found in of_kind(objects, "Job"):
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert "publish.tfs=null" in container["args"]


def test_embedded_gateways_read_the_models_and_cannot_write_them(below: tuple[str, ...]) -> None:
    """Claim and mount are both read-only; the setting names the mount."""
    objects = combined(["embedded"], below)
    settings = settings_of(objects)
    volume, mount = mounted(pod_of(objects), "models")
    assert (None, mount["mountPath"]) == (settings.tfs, str(settings.models))
    assert mount["readOnly"]
    assert {"claimName": "pictor-models", "readOnly": True} == volume["persistentVolumeClaim"]
    assert settings.inference_threads is not None  # else one for each core of the node


@pytest.mark.parametrize("name", ["pictor-rollback", "pictor-promote"])
def test_embedded_changes_labels_in_the_store_alone(name: str) -> None:
    """The same command without the options that are about servers."""
    about_servers = ("--tfs", "--base-path", "--models-config", "--timeout-s")
    wanted = [each for each in arguments(combined([]), name) if not each.startswith(about_servers)]
    assert wanted == arguments(combined(["embedded"]), name)


def test_components_go_together(below: tuple[str, ...], tmp_path: Any) -> None:
    """All four at once: each one's settings are there, and the process accepts them."""
    objects = combined(["api-keys", "canary", "capture", "embedded"], below)
    settings = settings_of(objects)
    assert settings.api_keys_file is not None
    assert settings.canary_share
    assert settings.capture is not None
    assert settings.models is not None
    assert "canary" == night(objects, tmp_path).publish.label
    assert {"api-keys", "samples", "models", "tmp"} == {each["name"] for each in pod_of(objects)["volumes"]}
    (source,) = container_of(objects)["envFrom"]
    assert one(objects, "ConfigMap")["metadata"]["name"] == source["configMapRef"]["name"]
