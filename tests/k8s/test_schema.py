"""Every object fits Kubernetes' own schemas, from the oldest version that is promised to the newest known."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, Final

import kubernetes_validate
import pytest

from k8s.combinations import LARGEST
from k8s.rendering import COMPONENTS, K8S, OVERLAYS, Object, combined, of_kind, overlay

OLDEST: Final = "1.30"
"""preStop.sleep is on by default from here; k8s/README.md states it."""
NEWEST: Final = kubernetes_validate.latest_version().rpartition(".")[0]

CUSTOM: Final = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {"selector", "endpoints"},
    ("monitoring.coreos.com/v1", "PodMonitor"): {"selector", "podMetricsEndpoints"},
    ("monitoring.coreos.com/v1", "PrometheusRule"): {"groups"},
    ("keda.sh/v1alpha1", "ScaledObject"): {
        "scaleTargetRef",
        "pollingInterval",
        "cooldownPeriod",
        "minReplicaCount",
        "maxReplicaCount",
        "fallback",
        "advanced",
        "triggers",
    },
    ("serving.kserve.io/v1beta1", "InferenceService"): {"predictor"},
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): {
        "annotations",
        "containers",
        "labels",
        "protocolVersions",
        "supportedModelFormats",
        "volumes",
    },
}
"""Kinds of operators, whose schemas no package brings, and the fields of their spec that we use."""


@cache
def _distinct() -> dict[str, Object]:
    """Return every different object that any overlay, component or largest set makes."""
    sets = [
        *(overlay(name) for name in OVERLAYS),
        *(combined([name]) for name in COMPONENTS),
        *(combined(chosen) for chosen in LARGEST),
    ]
    return {json.dumps(found, sort_keys=True): found for objects in sets for found in objects}


def _faults(objects: Sequence[Object], version: str) -> Iterator[str]:
    for found in objects:
        name = f"{found['kind']}/{found['metadata']['name']}"
        fields = CUSTOM.get((found["apiVersion"], found["kind"]))
        if fields is not None:
            yield from (f"{name} has spec.{key}" for key in sorted(set(found["spec"]) - fields))
            continue
        try:
            kubernetes_validate.validate(found, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name} {error.json_path}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{name} is {found['apiVersion']}: {error.message}"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_fits_the_schemas(version: str) -> None:
    """Strictly: an unknown field is a fault, and so is a kind that this version does not have."""
    assert [] == list(_faults([*_distinct().values()], version))


def test_the_newest_schemas_are_newer_than_the_oldest() -> None:
    """Two different versions are asked, not the same one twice."""
    assert tuple(map(int, NEWEST.split("."))) > tuple(map(int, OLDEST.split(".")))


def test_the_entry_page_promises_the_version_that_is_tested() -> None:
    """k8s/README.md states the oldest version."""
    text = (K8S / "README.md").read_text(encoding="utf-8")
    assert f"Kubernetes {OLDEST} or newer" in text


def test_custom_kinds_are_those_in_use() -> None:
    """The table of what no schema covers holds no kind that nothing makes any more."""
    made = {(found["apiVersion"], found["kind"]) for found in _distinct().values()}
    assert set() == set(CUSTOM) - made


MISTAKES: Final[dict[str, tuple[str, list[Any], Any]]] = {
    "a misspelt field": ("Deployment", ["spec", "template", "spec", "terminationGracePeriodSecond"], 30),
    "a field of another object": ("Service", ["spec", "replicas"], 2),
    "a text where a number belongs": ("HorizontalPodAutoscaler", ["spec", "minReplicas"], "2"),
    "a number where a text belongs": ("ConfigMap", ["data", "PICTOR_PORT"], 8080),
    "a version that is gone": ("HorizontalPodAutoscaler", ["apiVersion"], "autoscaling/v2beta2"),
    "a kind that never was": ("Deployment", ["kind"], "Deploiment"),
    "a field that came later": ("CronJob", ["spec", "jobTemplate", "spec", "successPolice"], {}),
    "a probe by two names": (
        "Deployment",
        ["spec", "template", "spec", "containers", 0, "readynessProbe"],
        {},
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_mistake_is_found(mistake: str, version: str) -> None:
    """The validation is no empty one."""
    kind, (*path, last), value = MISTAKES[mistake]
    changed = deepcopy(of_kind(overlay("local"), kind)[0])
    at = changed
    for key in path:
        at = at[key]
    at[last] = value
    assert [] != list(_faults([changed], version))
