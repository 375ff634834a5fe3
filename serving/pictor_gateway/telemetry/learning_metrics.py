"""The numbers of canary, captured pictures, feedback and drift."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pictor_gateway.telemetry.buckets import STAGE_BUCKETS

_OF_VERSION = ("model", "version")


class LearningMetrics:
    """The instruments; a part of `Metrics`."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._add_canary(registry)
        self._add_samples(registry)
        self._add_drift(registry)

    def _add_canary(self, registry: CollectorRegistry | None) -> None:
        self.version_duration = Histogram(
            "pictor_version_duration_seconds",
            "From decoded pictures to scores, by version: counted with a canary or shadow share.",
            _OF_VERSION,
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.version_pictures = Counter(
            "pictor_version_pictures",
            "Pictures that a version answered or failed at, seen or mirrored: counted with either share.",
            [*_OF_VERSION, "result"],
            registry=registry,
        )
        self.shadowed = Counter(
            "pictor_shadow_pictures",
            "Pictures mirrored to the canary: agree or disagree with the stable answer, failed, or skipped.",
            [*_OF_VERSION, "result"],
            registry=registry,
        )
        self.canary_active = Gauge(
            "pictor_canary_active",
            "1 while the version labelled canary gets its share, 0 after a breach.",
            _OF_VERSION,
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.canary_breaches = Counter(
            "pictor_canary_breaches",
            "How often a canary was taken out of traffic: errors, latency or agreement.",
            [*_OF_VERSION, "reason"],
            registry=registry,
        )
        self.canary_rescues = Counter(
            "pictor_canary_rescues",
            "Requests that the stable version answered because the canary failed.",
            _OF_VERSION,
            registry=registry,
        )

    def _add_samples(self, registry: CollectorRegistry | None) -> None:
        self.captured = Counter(
            "pictor_captured_pictures",
            "Pictures written for later training: sampled or uncertain.",
            ["model", "reason"],
            registry=registry,
        )
        self.capture_dropped = Counter(
            "pictor_capture_dropped_pictures",
            "Pictures chosen but not written: the writer was behind, or the folder failed.",
            ["reason"],
            registry=registry,
        )
        self.feedback = Counter(
            "pictor_feedback",
            "Predictions judged by their users: correct or wrong.",
            [*_OF_VERSION, "result"],
            registry=registry,
        )
        self.live_accuracy = Gauge(
            "pictor_live_accuracy_ratio",
            "Share of correct ones among the latest predictions that were judged.",
            _OF_VERSION,
            registry=registry,
            multiprocess_mode="livemostrecent",
        )

    def _add_drift(self, registry: CollectorRegistry | None) -> None:
        self.drift = Gauge(
            "pictor_drift_score",
            "Population stability index of what is seen against the training data; above 0.25 it is other.",
            [*_OF_VERSION, "feature"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.drift_pictures = Gauge(
            "pictor_drift_pictures",
            "Pictures that the drift score is taken over.",
            _OF_VERSION,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.drift_dropped = Counter(
            "pictor_drift_dropped_pictures",
            "Pictures chosen but not compared with the training data: too many were waiting.",
            registry=registry,
        )
