"""Every overlay and every component can be rendered, and makes what it says."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest
import yaml

from k8s.combinations import LAST, go_together, in_order
from k8s.rendering import COMPONENTS, K8S, OVERLAYS, Object, combined, of_kind, overlay

KINDS: Final = {
    "local": {
        "ConfigMap": 3,
        "CronJob": 3,
        "Deployment": 2,
        "HorizontalPodAutoscaler": 1,
        "Job": 1,
        "Namespace": 1,
        "PersistentVolumeClaim": 3,
        "PodDisruptionBudget": 2,
        "Service": 2,
        "ServiceAccount": 3,
    },
    "production": {
        "ConfigMap": 4,
        "CronJob": 3,
        "Deployment": 2,
        "HorizontalPodAutoscaler": 1,
        "Namespace": 1,
        "NetworkPolicy": 6,
        "PersistentVolumeClaim": 3,
        "PodDisruptionBudget": 2,
        "PodMonitor": 1,
        "PrometheusRule": 4,
        "Secret": 1,
        "Service": 3,
        "ServiceAccount": 3,
        "ServiceMonitor": 1,
    },
    "production-keda": {
        "ConfigMap": 4,
        "CronJob": 3,
        "Deployment": 2,
        "Namespace": 1,
        "NetworkPolicy": 6,
        "PersistentVolumeClaim": 3,
        "PodDisruptionBudget": 2,
        "PodMonitor": 1,
        "PrometheusRule": 4,
        "ScaledObject": 2,
        "Secret": 1,
        "Service": 3,
        "ServiceAccount": 3,
        "ServiceMonitor": 1,
    },
}
"""How many objects of each kind an overlay makes: what comes or goes shows here."""


def test_every_overlay_has_its_expected_kinds() -> None:
    """The golden count of kinds: an object that vanished, or came unasked, is seen."""
    assert {name: dict(sorted(Counter(_kinds(overlay(name))).items())) for name in OVERLAYS} == KINDS


def _kinds(objects: Sequence[Object]) -> list[str]:
    return [found["kind"] for found in objects]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_changes_something(component: str) -> None:
    """A component that changes nothing is none."""
    assert combined([component]) != combined([])


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_contradicts_itself_nowhere(name: str) -> None:
    """What an overlay puts together goes together; what changes all others comes last."""
    components = tuple(one for one in _components(name) if one in COMPONENTS)
    assert go_together(components)
    last = [one for one in in_order(components) if one in LAST]
    assert last == [*components[len(components) - len(last) :]]


def _components(name: str) -> list[str]:
    written = yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text(encoding="utf-8"))
    return [path.rpartition("/")[2] for path in written.get("components", [])]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_makes_its_own_namespace(name: str) -> None:
    """`kubectl apply -k` needs nothing before it."""
    assert ["pictor"] == [found["metadata"]["name"] for found in of_kind(overlay(name), "Namespace")]
