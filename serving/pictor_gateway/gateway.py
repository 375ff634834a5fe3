"""What the handlers share."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request

from pictor_gateway.backends.protocol import Backend
from pictor_gateway.backends.server_metrics import ServerMetrics
from pictor_gateway.capturing.feedback import FeedbackDesk
from pictor_gateway.capturing.prediction_ids import PredictionIds
from pictor_gateway.drift.windows import DriftWindows
from pictor_gateway.entrance.access import Access
from pictor_gateway.entrance.admission import Admission
from pictor_gateway.fetching.links import Fetcher
from pictor_gateway.inference.catalogue import Catalogue
from pictor_gateway.inference.pipeline import Pipeline
from pictor_gateway.process.lifecycle import Lifecycle
from pictor_gateway.request.observer import Observer
from pictor_gateway.rollout.rollout import Rollout
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.metrics import Metrics
from pictor_gateway.telemetry.metrics_text import MetricsWriter
from pictor_gateway.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one gateway, put together by `create_app`."""

    settings: Settings
    backend: Backend
    catalogue: Catalogue
    admission: Admission
    pipeline: Pipeline
    metrics: Metrics
    metrics_writer: MetricsWriter
    lifecycle: Lifecycle
    tracing: Tracing
    fetcher: Fetcher | None
    access: Access | None
    server_metrics: ServerMetrics | None
    drift: DriftWindows
    predictions: PredictionIds | None = None
    feedback: FeedbackDesk | None = None
    rollout: Rollout | None = None
    observers: tuple[Observer, ...] = ()


def gateway_in(app: FastAPI) -> Gateway:
    """Return the gateway that `create_app` put together as `app`."""
    gateway: Gateway = app.state.gateway
    return gateway


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that received the request."""
    return gateway_in(request.app)
