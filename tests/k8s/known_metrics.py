"""Which series exist, with which labels, and which values of the short lists: what a query may ask for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from grpc import StatusCode
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics import MetricWrapperBase

from pictor_contract.statistics import FEATURES
from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.backends.protocol import VersionState
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.fleet_metrics import FleetCollector
from pictor_gateway.backends.tensorflow_serving.metrics_page import FAMILIES
from pictor_gateway.backends.tensorflow_serving.server import EjectedFor
from pictor_gateway.rollout.trial import BreachKind
from pictor_gateway.routes import ROUTES
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry import facts
from pictor_gateway.telemetry.metrics import Metrics, ModelCollector

OUTCOMES: Final = frozenset(
    {*facts._OUTCOME_BY_CODE.values(), *facts._OUTCOME_BY_STATUS.values(), "ok", "client_error", "error"}
)
TARGET: Final = frozenset({"namespace", "pod", "instance", "job", "container", "service", "endpoint", "node"})
"""What Prometheus puts on whatever it scrapes by our monitors."""

_SOURCE: Final = Path(__file__).parents[2] / "serving" / "pictor_gateway"
WRITTEN: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("pictor_capture_dropped_pictures_total", "reason"): frozenset({"behind", "failed"}),
    ("pictor_feedback_total", "result"): frozenset({"correct", "wrong"}),
    ("pictor_retries_total", "reason"): frozenset(
        {"unavailable", "busy", "failed", "late", "ejected", "split", "version"}
    ),
    ("pictor_shadow_pictures_total", "result"): frozenset({"agree", "disagree", "failed", "skipped"}),
    ("pictor_shed_total", "reason"): frozenset({"concurrency", "receiving", "queue", "predicted_wait"}),
    ("pictor_version_pictures_total", "result"): frozenset({"answered", "failed"}),
}
"""Label values that the code has as plain words, where they are counted."""

_NAMED: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("pictor_requests_total", "outcome"): OUTCOMES,
    ("pictor_stage_duration_seconds", "stage"): frozenset(facts.STAGES),
    ("pictor_model_version_state", "state"): frozenset(get_args(VersionState)),
    ("pictor_server_ejections_total", "reason"): frozenset(get_args(EjectedFor)),
    ("pictor_canary_breaches_total", "reason"): frozenset(get_args(BreachKind)),
    ("pictor_backend_calls_total", "code"): frozenset(code.name for code in StatusCode),
    ("pictor_drift_score", "feature"): frozenset(FEATURES),
}
_DIALECTS: Final = frozenset(route.dialect for route in ROUTES) | {facts.UNKNOWN}


@dataclass(frozen=True)
class Series:
    """One name that can be asked for. `values` has the labels whose values are a short list."""

    labels: frozenset[str]
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)


def known_series(folder: Path) -> dict[str, Series]:
    """Return all there are: the gateway's, TensorFlow Serving's, and those of exporters that we name."""
    return {**_gateways(folder), **_servers(), **_exporters()}


def _gateways(folder: Path) -> dict[str, Series]:
    """Return what the gateway's real instruments and collectors export."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    instruments = [
        one
        for one in (*vars(metrics).values(), *vars(metrics.learning).values())
        if isinstance(one, MetricWrapperBase)
    ]
    found: dict[str, Series] = {}
    for one in instruments:
        bounds = [_bound(bound) for bound in one._upper_bounds] if isinstance(one, Histogram) else None
        for name, labels, values in _samples(one._name, one._type, one._labelnames, bounds):
            found[name] = _series(one._name, name, labels, values)
    collectors = (
        ModelCollector(EmbeddedBackend(folder, 1, 1, 1.0)),
        FleetCollector(Fleet(Settings.load({"tfs": "127.0.0.1", "model": "pets"}, {}))),
    )
    for collector in collectors:
        for family in collector.describe():
            found[family.name] = _series(family.name, family.name, family._labelnames, {})
    return found


def _samples(
    name: str, kind: str, labels: Iterable[str], bounds: Iterable[str] | None
) -> Iterable[tuple[str, Iterable[str], Mapping[str, frozenset[str]]]]:
    if kind == "counter":
        return [(f"{name}_total", labels, {})]
    if kind != "histogram":
        return [(name, labels, {})]
    values = {} if bounds is None else {"le": frozenset(bounds)}
    return [
        (f"{name}_bucket", (*labels, "le"), values),
        (f"{name}_sum", labels, {}),
        (f"{name}_count", labels, {}),
    ]


def _series(family: str, name: str, labels: Iterable[str], values: Mapping[str, frozenset[str]]) -> Series:
    short = {**WRITTEN, **_NAMED}
    known = {
        label: short[key] for label in labels for key in ((family, label), (name, label)) if key in short
    }
    if "dialect" in labels:
        known["dialect"] = _DIALECTS
    return Series(frozenset(labels) | TARGET, {**known, **values})


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(float(bound))


_SERVERS_LABELS: Final = frozenset({"model_name", "status", "API", "entrypoint", "thread_pool_name"})
"""All that were seen on TensorFlow Serving's page."""


def _servers() -> dict[str, Series]:
    """Return TensorFlow Serving's own series, with their colons, and those that the gateway takes over."""
    found: dict[str, Series] = {}
    for theirs, ours in FAMILIES.items():
        labels = ("server", "model", "status", "api", "entrypoint", "pool")
        for name, names, _ in _samples(ours.name, ours.kind, labels, None):
            found[name] = Series(frozenset(names) | TARGET)
        for name, names, _ in _samples(theirs, ours.kind, tuple(_SERVERS_LABELS), None):
            # TensorFlow's counters have no _total.
            found[theirs if ours.kind == "counter" else name] = Series(frozenset(names) | TARGET)
    return found


_BOOLEAN: Final = frozenset({"true", "false", "unknown"})
_EXPORTERS: Final[Mapping[str, str]] = {
    # Prometheus itself
    "up": "",
    # kube-state-metrics, docs/metrics/workload
    "kube_cronjob_created": "cronjob",
    "kube_cronjob_next_schedule_time": "cronjob",
    "kube_cronjob_spec_suspend": "cronjob",
    "kube_cronjob_status_active": "cronjob",
    "kube_cronjob_status_last_successful_time": "cronjob",
    "kube_deployment_spec_replicas": "deployment",
    "kube_deployment_status_replicas_available": "deployment",
    "kube_horizontalpodautoscaler_spec_max_replicas": "horizontalpodautoscaler",
    "kube_horizontalpodautoscaler_status_condition": "horizontalpodautoscaler condition status",
    "kube_horizontalpodautoscaler_status_current_replicas": "horizontalpodautoscaler",
    "kube_job_failed": "job_name condition",
    "kube_job_owner": "job_name owner_kind owner_name owner_is_controller",
    "kube_job_status_completion_time": "job_name",
    "kube_job_status_failed": "job_name reason",
    "kube_job_status_start_time": "job_name",
    "kube_pod_container_status_restarts_total": "pod container uid",
    # the kubelet: cAdvisor and its own
    "container_cpu_usage_seconds_total": "pod container image cpu",
    "container_memory_working_set_bytes": "pod container image",
    "kubelet_volume_stats_available_bytes": "persistentvolumeclaim",
    "kubelet_volume_stats_capacity_bytes": "persistentvolumeclaim",
    # NVIDIA's DCGM exporter, etc/default-counters.csv
    "DCGM_FI_DEV_FB_USED": "gpu Hostname exported_namespace exported_pod",
    "DCGM_FI_DEV_GPU_UTIL": "gpu Hostname exported_namespace exported_pod",
}
_EXPORTERS_VALUES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "kube_job_failed": {"condition": _BOOLEAN},
    "kube_job_owner": {"owner_kind": frozenset({"CronJob"})},
    "kube_job_status_failed": {"reason": frozenset({"BackoffLimitExceeded", "DeadlineExceeded", "Evicted"})},
    "kube_horizontalpodautoscaler_status_condition": {
        "condition": frozenset({"AbleToScale", "ScalingActive", "ScalingLimited"}),
        "status": _BOOLEAN,
    },
}


def _exporters() -> dict[str, Series]:
    return {
        name: Series(frozenset(labels.split()) | TARGET, _EXPORTERS_VALUES.get(name, {}))
        for name, labels in _EXPORTERS.items()
    }


def words_not_in_source() -> set[str]:
    """Return the values of `WRITTEN` that no file of the gateway has between quotation marks."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(_SOURCE.rglob("*.py")))
    quoted = set(re.findall(r'"([a-z_]+)"', text))
    return {value for values in WRITTEN.values() for value in values} - quoted
