"""What depends on the hardware, and on who runs the servers: CPU nodes, GPU nodes, KServe."""

from collections.abc import Sequence
from typing import Any

import pytest

from k8s.checks.reading import at, quantity
from k8s.rendering import K8S, Object, of_kind, overlay, rendered
from k8s.tf_servers import CPU, GPU, KSERVE, MODEL, deployment, objects_of, pod, server


def test_a_card_is_a_limit_and_nothing_else_is_said_of_nodes() -> None:
    """Whole, one for each server; labels of nodes are an overlay's matter."""
    limits, requests = (server(GPU)["resources"][kind] for kind in ("limits", "requests"))
    assert "1" == limits["nvidia.com/gpu"]
    assert "nvidia.com/gpu" not in requests
    assert [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}] == pod(GPU)[
        "tolerations"
    ]
    assert "nodeSelector" not in pod(GPU)
    assert "affinity" not in pod(GPU)


@pytest.mark.parametrize("way", [CPU, KSERVE])
def test_nothing_of_a_card_is_said_without_one(way: str) -> None:
    """Neither a resource nor a variable nor an image."""
    text = str(pod(way))
    assert not any(word in text for word in ("nvidia", "TF_FORCE_GPU_ALLOW_GROWTH", "-gpu"))


def test_the_card_is_shared_by_versions_and_its_kernels_are_kept() -> None:
    """Growth, or a second version finds no memory; a cache where there may be written."""
    environment = {one["name"]: one.get("value") for one in server(GPU)["env"]}
    assert "true" == environment["TF_FORCE_GPU_ALLOW_GROWTH"]
    assert "/tmp/cuda-cache" == environment["CUDA_CACHE_PATH"]  # noqa: S108 - a volume of its own
    (scratch,) = (one for one in pod(GPU)["volumes"] if one["name"] == "tmp")
    assert quantity(scratch["emptyDir"]["sizeLimit"]) > quantity("256Mi")


def test_a_rollout_needs_no_spare_card_and_spares_others_the_gap() -> None:
    """Surge and unavailable: a GPU is not to be had twice, two cores are."""
    strategies = {way: deployment(way)["spec"]["strategy"]["rollingUpdate"] for way in (CPU, GPU)}
    assert {"maxSurge": 0, "maxUnavailable": 1} == strategies[GPU]
    assert {"maxSurge": 1, "maxUnavailable": 0} == strategies[CPU]


@pytest.mark.parametrize("way", [CPU, GPU])
def test_the_image_is_the_one_for_the_hardware(way: str) -> None:
    """Of one version, which stands in k8s/images alone."""
    assert server(way)["image"].endswith("-gpu") is (way == GPU)
    assert server(CPU)["image"] == server(GPU)["image"].removesuffix("-gpu")


@pytest.mark.parametrize("way", [CPU, GPU])
def test_a_rollout_is_given_the_time_that_a_start_takes(way: str) -> None:
    """Five minutes for the image on top: it is some gigabytes."""
    probe = server(way)["startupProbe"]
    start_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert deployment(way)["spec"]["progressDeadlineSeconds"] >= start_s + 300
    assert deployment(way)["spec"]["revisionHistoryLimit"] <= 5


def test_kserve_takes_our_deployments_place() -> None:
    """Its server has the same flags, probes and way down; Service and budget find its pods by labels."""
    objects = objects_of(KSERVE)
    names = {one["metadata"]["name"] for one in of_kind(objects, "Deployment")}
    assert "pictor-tf-serving" not in names
    ours, theirs = server(CPU), server(KSERVE)
    for key in ("image", "command", "args", "lifecycle", "resources", "securityContext", *_probes()):
        assert ours[key] == theirs[key], key
    assert ours["volumeMounts"] == theirs["volumeMounts"]
    predictor = pod(KSERVE)
    for kind in ("Service", "PodDisruptionBudget"):
        selector = _selector(objects, kind)
        assert selector.items() <= predictor["labels"].items()


def _probes() -> Sequence[str]:
    return ("startupProbe", "readinessProbe", "livenessProbe")


def _selector(objects: Sequence[Object], kind: str) -> dict[str, Any]:
    (found,) = (one for one in of_kind(objects, kind) if one["metadata"]["name"] == "pictor-tf-serving")
    selector: dict[str, Any] = found["spec"]["selector"]
    return selector.get("matchLabels", selector)


def test_kserve_is_told_all_that_it_would_decide_otherwise() -> None:
    """A plain Deployment without an autoscaler by CPU, our runtime, a pod that is let in."""
    (service,) = of_kind(objects_of(KSERVE), "InferenceService")
    (runtime,) = of_kind(objects_of(KSERVE), "ServingRuntime")
    annotations, predictor = service["metadata"]["annotations"], service["spec"]["predictor"]
    assert "RawDeployment" == annotations["serving.kserve.io/deploymentMode"]
    assert "external" == annotations["serving.kserve.io/autoscalerClass"]
    assert runtime["metadata"]["name"] == predictor["model"]["runtime"]
    assert predictor["model"]["modelFormat"] in runtime["spec"]["supportedModelFormats"]
    assert f"pvc://pictor-models/{MODEL}" == predictor["model"]["storageUri"]
    assert "kserve-container" == server(KSERVE)["name"]
    assert deployment(CPU)["spec"]["template"]["spec"]["securityContext"] == predictor["securityContext"]
    assert predictor["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", ["local", "production"])
def test_overlays_choose_their_hardware(name: str) -> None:
    """On a laptop there is no card."""
    (found,) = (
        one for one in of_kind(overlay(name), "Deployment") if one["metadata"]["name"] == "pictor-tf-serving"
    )
    limits = at(found, "spec", "template", "spec", "containers")[0]["resources"]["limits"]
    assert ("nvidia.com/gpu" in limits) is (name == "production")


def test_the_base_stands_by_itself() -> None:
    """Whoever writes an overlay of their own starts from something that renders."""
    kinds = {one["kind"] for one in rendered(K8S / "base/tf-serving")}
    assert {"Deployment", "Service", "PodDisruptionBudget", "ServiceAccount", "ConfigMap"} == kinds
