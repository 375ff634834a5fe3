"""Choose the backend that the settings ask for. What they do not ask for is not imported."""

from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from pictor_contract.engine import silence_engine
from pictor_gateway.backends.protocol import Backend
from pictor_gateway.process.cores import usable_cores
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from pictor_gateway.backends.embedded import EmbeddedBackend


def backend_from(
    settings: Settings, metrics: Metrics | None = None, registry: CollectorRegistry | None = None
) -> Backend:
    """Return the backend, not started. It counts its calls in `metrics`, and shows its servers in `registry`.

    Raises:
        InvalidSettings: the files for TLS cannot be used.
    """
    if settings.tfs is None:
        return _embedded(settings.store or Path(), settings)
    if settings.models is None or not settings.fallback:
        return _tensorflow_serving(settings, metrics, registry)
    from pictor_gateway.backends.fallback import FallbackBackend  # noqa: PLC0415 - seldom asked for

    primary = _tensorflow_serving(settings, metrics, registry)
    return FallbackBackend(primary, _embedded(settings.models, settings), metrics)


def _tensorflow_serving(
    settings: Settings, metrics: Metrics | None, registry: CollectorRegistry | None
) -> Backend:
    from pictor_gateway.backends.tensorflow_serving.backend import TensorFlowServingBackend  # noqa: PLC0415 - gRPC

    return TensorFlowServingBackend(settings, metrics, registry)


def _embedded(store: Path, settings: Settings) -> "EmbeddedBackend":
    silence_engine()
    from pictor_gateway.backends.embedded import EmbeddedBackend  # noqa: PLC0415 - loads ONNX Runtime, 40 MB

    return EmbeddedBackend(
        store,
        settings.keep_versions,
        settings.inference_threads or usable_cores(),
        settings.poll_interval_s,
        settings.model_names,
    )
