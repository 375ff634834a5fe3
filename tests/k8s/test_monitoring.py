"""Monitors find what they are meant to find: Services, pods, ports and paths that are there."""

from typing import Any

import pytest

from k8s.rendering import Object, of_kind, overlay
from pictor_gateway.backends.tensorflow_serving.exported_metrics import PATH
from pictor_gateway.routes import PROBE_PATHS


def _one(kind: str, name: str) -> Object:
    (found,) = [one for one in of_kind(overlay("production"), kind) if one["metadata"]["name"] == name]
    return found


def _has(labels: dict[str, str], selector: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def _ports(pod: dict[str, Any]) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for one in pod["spec"]["containers"]
        for port in one.get("ports", ())
    }


def test_the_gateways_are_scraped_through_one_service_at_the_metrics_port() -> None:
    """The monitor finds that Service alone, the Service finds the pods, the port is the one with /metrics."""
    monitor = _one("ServiceMonitor", "pictor-gateway")["spec"]
    (service,) = [
        one
        for one in of_kind(overlay("production"), "Service")
        if _has(one["metadata"].get("labels", {}), monitor["selector"]["matchLabels"])
    ]
    template = _one("Deployment", "pictor-gateway")["spec"]["template"]
    (endpoint,) = monitor["endpoints"]
    (port,) = service["spec"]["ports"]
    assert _has(template["metadata"]["labels"], service["spec"]["selector"])
    assert port["name"] == endpoint["port"]
    assert port["port"] == _ports(template)[port["targetPort"]] == _ports(template)["metrics"]
    assert endpoint["path"] in PROBE_PATHS


def test_the_servers_are_scraped_by_pod_at_the_page_that_they_have() -> None:
    """Selector, port and path of TensorFlow Serving's own page."""
    monitor = _one("PodMonitor", "pictor-tf-serving")["spec"]
    template = _one("Deployment", "pictor-tf-serving")["spec"]["template"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert _has(template["metadata"]["labels"], monitor["selector"]["matchLabels"])
    assert endpoint["port"] in _ports(template)
    assert PATH == endpoint["path"]


@pytest.mark.parametrize(
    ("kind", "name", "endpoints"),
    [
        ("ServiceMonitor", "pictor-gateway", "endpoints"),
        ("PodMonitor", "pictor-tf-serving", "podMetricsEndpoints"),
    ],
)
def test_scrape_jobs_have_the_names_that_rules_ask_for(kind: str, name: str, endpoints: str) -> None:
    """`up` is told apart by `job`, which would else be made of the Service's or monitor's name."""
    (endpoint,) = _one(kind, name)["spec"][endpoints]
    assert {"targetLabel": "job", "replacement": name} in endpoint["relabelings"]


def test_a_prometheus_without_the_operator_finds_the_gateways_by_their_annotations() -> None:
    """Port and path beside the pod, as many clusters' own configuration reads them."""
    template = _one("Deployment", "pictor-gateway")["spec"]["template"]
    notes = template["metadata"]["annotations"]
    assert "true" == notes["prometheus.io/scrape"]
    assert str(_ports(template)["metrics"]) == notes["prometheus.io/port"]
    assert notes["prometheus.io/path"] in PROBE_PATHS
