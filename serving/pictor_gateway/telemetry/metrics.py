"""Every number the gateway exports: prefix `pictor_`, base units, labels from short lists."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pictor_gateway.backends.protocol import Backend, ModelStatus, ServedVersion
from pictor_gateway.telemetry.buckets import REQUEST_BUCKETS, STAGE_BUCKETS
from pictor_gateway.telemetry.learning_metrics import LearningMetrics

_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
_BYTE_BUCKETS = tuple(1024 * 4**step for step in range(9))
_PIXEL_BUCKETS = (1e4, 1e5, 1e6, 1e7, 1e8)
_CONFIDENCE_BUCKETS = tuple(tenth / 10 for tenth in range(1, 11))

MAX_LABELS = 100
"""Labels of one model that get their own series; the rest are counted together."""


class Metrics:
    """The instruments, created in the given registry; two gateways in one process take two registries.

    Without a registry they are shown by whatever gathers the numbers of several processes.
    """

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._add_requests(registry)
        self._add_load(registry)
        self._add_backend(registry)
        self._add_pictures(registry)
        self.learning = LearningMetrics(registry)

    def count_prediction(self, served: ServedVersion, index: int, score: float) -> None:
        """Count one picture's highest-scoring label and its score."""
        label = served.contract.labels[index] if index < MAX_LABELS else "other"
        version = str(served.version)
        self.predictions.labels(served.name, version, label).inc()
        self.confidence.labels(served.name, version).observe(score)

    def _add_requests(self, registry: CollectorRegistry | None) -> None:
        self.requests = Counter(
            "pictor_requests",
            "Requests answered, by how they ended.",
            ["dialect", "model", "version", "outcome"],
            registry=registry,
        )
        self.request_duration = Histogram(
            "pictor_request_duration_seconds",
            "From a request's headers to the first byte of its answer.",
            ["dialect", "model"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.stage_duration = Histogram(
            "pictor_stage_duration_seconds",
            "Where a request's time went: read, decode, queue, inference.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.body_bytes = Histogram(
            "pictor_request_body_bytes",
            "Bytes in the bodies of requests that were admitted.",
            buckets=_BYTE_BUCKETS,
            registry=registry,
        )

    def _add_load(self, registry: CollectorRegistry | None) -> None:
        self.inflight = Gauge(
            "pictor_inflight_requests",
            "Requests admitted and not answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.shed = Counter(
            "pictor_shed", "Requests refused because the gateway was busy.", ["reason"], registry=registry
        )
        self.predicted_wait = Gauge(
            "pictor_predicted_wait_seconds",
            "How long a request that comes now would wait for work on it to begin.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.queued = Gauge(
            "pictor_queued_pictures",
            "Decoded pictures waiting for a call of the model.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue_wait = Histogram(
            "pictor_queue_wait_seconds",
            "How long each decoded picture waited for its call of the model to begin.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "pictor_batch_size",
            "Pictures in one call of the model.",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self.loop_lag = Histogram(
            "pictor_event_loop_lag_seconds",
            "How late the event loop woke from a short sleep: while it is late, nothing is answered.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )

    def _add_backend(self, registry: CollectorRegistry | None) -> None:
        self.backend_calls = Counter(
            "pictor_backend_calls",
            "Calls of TensorFlow Serving, by gRPC status code; retries count as calls, polls do not.",
            ["code"],
            registry=registry,
        )
        self.backend_duration = Histogram(
            "pictor_backend_call_duration_seconds",
            "How long a call of TensorFlow Serving took, answered or not.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.retries = Counter(
            "pictor_retries",
            "Calls repeated: on another server, as a smaller batch, or for the version that took over.",
            ["reason"],
            registry=registry,
        )
        self.ejections = Counter(
            "pictor_server_ejections",
            "TensorFlow Serving servers that were given no more work: unreachable, silent or failing.",
            ["reason"],
            registry=registry,
        )
        self.fallbacks = Counter(
            "pictor_fallback_pictures",
            "Pictures answered by the embedded backend because no server could.",
            ["model"],
            registry=registry,
        )

    def _add_pictures(self, registry: CollectorRegistry | None) -> None:
        self.pictures = Counter(
            "pictor_pictures",
            "Pictures by format and by what became of them (decoded, or the refusal's code).",
            ["format", "result"],
            registry=registry,
        )
        self.picture_pixels = Histogram(
            "pictor_picture_pixels",
            "Width times height of each decoded picture, as it was sent.",
            buckets=_PIXEL_BUCKETS,
            registry=registry,
        )
        self.predictions = Counter(
            "pictor_predictions",
            "Pictures by their highest-scoring label.",
            ["model", "version", "label"],
            registry=registry,
        )
        self.confidence = Histogram(
            "pictor_prediction_confidence",
            "The highest score of each picture.",
            ["model", "version"],
            buckets=_CONFIDENCE_BUCKETS,
            registry=registry,
        )


class ModelCollector(Collector):
    """The models' states, read from the backend at each scrape: a series ends with its version.

    `refresh` reads them, on the event loop; `collect` may be called in any thread.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._models: Sequence[ModelStatus] = ()

    def refresh(self) -> None:
        """Take what the backend says now."""
        self._models = self._backend.models()

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples, so that registering asks the backend nothing."""
        return self._families(())

    def collect(self) -> Iterable[Metric]:
        """Return what the backend said last."""
        return self._families(self._models)

    def _families(self, models: Sequence[ModelStatus]) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "pictor_model_version_state",
            "1 for the state a version is in: loading, available, unloading, ended or refused.",
            labels=["model", "version", "state"],
        )
        info = GaugeMetricFamily(
            "pictor_model_info",
            "1 for each version that answers; digest is its contract's.",
            labels=["model", "version", "digest"],
        )
        for model in models:
            for one in model.versions:
                state.add_metric([model.name, str(one.version), one.state], 1)
                if one.served is not None:
                    info.add_metric([model.name, str(one.version), one.served.digest], 1)
        return (state, info)
