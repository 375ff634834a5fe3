"""The gateway on Kubernetes: what its manifests promise, by the code that keeps it."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from k8s.checks.reading import quantity, selects
from k8s.rendering import K8S, OVERLAYS, Object, of_kind, overlay
from pictor_gateway import Settings
from pictor_gateway.capturing import writer
from pictor_gateway.process import server
from pictor_gateway.routes import PROBES
from pictor_gateway.settings import ENV_PREFIX
from pictor_gateway.telemetry.metrics import Metrics

_NAME: Final = "pictor-gateway"
_MARGIN_S: Final = 10
"""More than the longest end that the settings allow: the machine may be busy."""
_IDLE_BYTES: Final = 120_000_000
_BYTES_A_PIXEL: Final = 24
"""Of the worst picture found, a rotated WebP with alpha, while it is decoded."""


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> tuple[Object, ...]:
    """Render each overlay."""
    return overlay(request.param)


def one(objects: tuple[Object, ...], kind: str) -> Object:
    """Return the gateway's object of a kind; the name of a ConfigMap ends in a hash."""
    (found,) = [
        each
        for each in of_kind(objects, kind)
        if re.fullmatch(f"{_NAME}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
    ]
    return found


def pod_of(objects: tuple[Object, ...]) -> Object:
    """Return the spec of the gateway's pods."""
    spec: Object = one(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def container_of(objects: tuple[Object, ...]) -> Object:
    """Return the gateway's container."""
    (container,) = pod_of(objects)["containers"]
    assert isinstance(container, dict)
    return container


def settings_of(objects: tuple[Object, ...]) -> Settings:
    """Return the settings that the ConfigMap gives, read as the process reads them."""
    environment = one(objects, "ConfigMap")["data"]
    known = {ENV_PREFIX + name.upper(): name for name in Settings.model_fields}
    flags = {known[name]: value for name, value in environment.items() if name in known}
    return Settings.load(flags, environment)


def test_every_line_of_the_settings_is_there_for_a_reason() -> None:
    """It differs from the default, or is a port that other manifests must agree on; and it has a comment."""
    blocks = (K8S / "base" / "gateway" / "settings.env").read_text(encoding="utf-8").split("\n\n")
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith("#")]
    given = {name: value for name, _, value in (line.partition("=") for line in lines)}
    read = Settings.load({name.removeprefix(ENV_PREFIX).lower(): value for name, value in given.items()}, {})
    usual = {
        name for name in read.model_fields_set if Settings.model_fields[name].default == getattr(read, name)
    }
    assert {"port"} == usual
    assert all(block.startswith("#") for block in blocks)


def test_the_longest_end_fits_the_grace_period(objects: tuple[Object, ...]) -> None:
    """Drain, the longest request that was admitted, the last captured pictures, the probes' own port."""
    settings = settings_of(objects)
    longest_s = server.uvicorn_config(FastAPI(), settings).timeout_graceful_shutdown
    assert longest_s is not None
    end_s = settings.drain_s + longest_s + writer._LAST_WORDS_S + server._PROBES_END_S
    assert end_s + _MARGIN_S <= pod_of(objects)["terminationGracePeriodSeconds"]


def test_the_worst_pictures_fit_the_memory(objects: tuple[Object, ...]) -> None:
    """As many bodies as may come, as many again at work, each thread at the largest picture it takes."""
    settings, resources = settings_of(objects), container_of(objects)["resources"]
    assert settings.decode_threads is not None  # else one for each core of the node
    bodies = 2 * settings.max_concurrent_requests * settings.max_body_bytes
    worst = _IDLE_BYTES + settings.decode_threads * settings.max_pixels * _BYTES_A_PIXEL + bodies
    assert worst <= quantity(resources["limits"]["memory"])
    assert resources["limits"]["memory"] == resources["requests"]["memory"]
    assert "cpu" not in resources["limits"]


def test_the_probes_are_three_questions_that_the_metrics_port_answers(objects: tuple[Object, ...]) -> None:
    """Of the real application; a restart takes longer than being taken out of traffic."""
    settings, container = settings_of(objects), container_of(objects)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {"http": settings.port, "metrics": settings.metrics_port} == ports
    probes = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
    asked = {probe: asked["path"] for probe, asked in probes.items()}
    assert {"startup": "/startupz", "readiness": "/readyz", "liveness": "/livez"} == asked
    assert {route.path for route in PROBES if route.method == "GET"} >= set(asked.values())
    assert {"metrics"} == {asked["port"] for asked in probes.values()}
    patience = {
        probe: container[f"{probe}Probe"]["periodSeconds"] * container[f"{probe}Probe"]["failureThreshold"]
        for probe in asked
    }
    assert patience["readiness"] < patience["liveness"] < patience["startup"]


def test_the_autoscaler_asks_for_a_metric_there_is_well_before_requests_are_refused() -> None:
    """Half of the places of work, by one of the gateway's own gauges, with the processor beside it."""
    objects = overlay("production")
    spec = one(objects, "HorizontalPodAutoscaler")["spec"]
    work, processor = spec["metrics"]
    registry = CollectorRegistry()
    Metrics(registry)
    assert work["pods"]["metric"]["name"] in {
        family.name for family in registry.collect() if family.type == "gauge"
    }
    places = settings_of(objects).max_concurrent_requests
    assert places == 2 * int(work["pods"]["target"]["averageValue"])
    assert container_of(objects)["name"] == processor["containerResource"]["container"]
    assert "cpu" in container_of(objects)["resources"]["requests"]
    assert "replicas" not in one(objects, "Deployment")["spec"]


def test_the_budget_protects_the_gateways_alone(objects: tuple[Object, ...]) -> None:
    """Its selector finds their pods, and nobody else's."""
    selector = one(objects, "PodDisruptionBudget")["spec"]["selector"]
    found = [
        workload["metadata"]["name"]
        for workload in of_kind(objects, "Deployment")
        if selects(selector, workload["spec"]["template"]["metadata"]["labels"])
    ]
    assert [_NAME] == found


def test_gateways_are_spread_over_zones_and_nodes(objects: tuple[Object, ...]) -> None:
    """Those of one rollout, as a wish: one zone or one node is enough to start."""
    spread = pod_of(objects)["topologySpreadConstraints"]
    keys = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert keys == [each["topologyKey"] for each in spread]
    for each in spread:
        assert ("ScheduleAnyway", ["pod-template-hash"]) == (
            each["whenUnsatisfiable"],
            each["matchLabelKeys"],
        )
        labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert selects(each["labelSelector"], labels)


def test_a_laptop_has_room_for_the_local_overlay() -> None:
    """Two cores less those of kind's own pods, 8 GiB less 1: also in the midst of a rollout of both."""
    objects = overlay("local")
    requests: list[dict[str, Any]] = []
    for workload in of_kind(objects, "Deployment"):
        spec = workload["spec"]["template"]["spec"]
        assert workload["spec"].get("replicas", 1) == 1
        requests += 2 * [container["resources"]["requests"] for container in spec["containers"]]
    (job,) = of_kind(objects, "Job")
    requests += [each["resources"]["requests"] for each in job["spec"]["template"]["spec"]["containers"]]
    assert sum(quantity(each["cpu"]) for each in requests) <= 2 - 0.95
    assert sum(quantity(each["memory"]) for each in requests) <= 7 * 2**30


def test_the_local_overlay_needs_nothing_that_a_plain_cluster_lacks() -> None:
    """No custom metrics, no volume for several nodes, no kind that an operator brings."""
    objects = overlay("local")
    (metric,) = one(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert "ContainerResource" == metric["type"]
    modes = {
        mode for claim in of_kind(objects, "PersistentVolumeClaim") for mode in claim["spec"]["accessModes"]
    }
    assert {"ReadWriteOnce"} == modes
    groups = {found["apiVersion"].rpartition("/")[0] for found in objects}
    assert {"", "apps", "autoscaling", "batch", "policy"} >= groups


def test_production_survives_the_loss_of_a_pod() -> None:
    """Two of each; in production-keda KEDA's own lower bound says so."""
    objects = overlay("production")
    (servers,) = [
        found for found in of_kind(objects, "Deployment") if found["metadata"]["name"] == "pictor-tf-serving"
    ]
    assert 2 == servers["spec"]["replicas"]
    assert 2 == one(objects, "HorizontalPodAutoscaler")["spec"]["minReplicas"]


def test_the_namespace_admits_restricted_pods_alone(objects: tuple[Object, ...]) -> None:
    """Enforced by the oldest supported release, so that no upgrade stops a pod; warned of by the newest."""
    (namespace,) = of_kind(objects, "Namespace")
    labels = namespace["metadata"]["labels"]
    assert {
        "enforce": "restricted",
        "enforce-version": "v1.30",
        "warn": "restricted",
        "warn-version": "latest",
        "audit": "restricted",
        "audit-version": "latest",
    } == {
        key.rpartition("/")[2]: value
        for key, value in labels.items()
        if key.startswith("pod-security.kubernetes.io/")
    }
    assert {"pictor"} == {
        found["metadata"].get("namespace", namespace["metadata"]["name"]) for found in objects
    }


def test_every_folder_has_a_readme() -> None:
    """Those that a person may be led to: bases, overlays and the components beside the gateway."""
    folders = [
        *(K8S / "base").glob("*/kustomization.yaml"),
        *(K8S / "overlays").glob("*/kustomization.yaml"),
    ]
    assert [] == [str(each.parent) for each in folders if not Path(each.parent, "README.md").is_file()]
