"""What the handlers share."""

from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request

from pictor_gateway.admission import Admission
from pictor_gateway.backends.protocol import Backend
from pictor_gateway.catalogue import Catalogue
from pictor_gateway.lifecycle import Lifecycle
from pictor_gateway.metrics import Metrics
from pictor_gateway.pipeline import Pipeline
from pictor_gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one gateway, put together by `create_app`."""

    settings: Settings
    backend: Backend
    registry: CollectorRegistry
    catalogue: Catalogue
    admission: Admission
    pipeline: Pipeline
    metrics: Metrics
    lifecycle: Lifecycle


def gateway_in(app: FastAPI) -> Gateway:
    """Return the gateway that `create_app` put together as `app`."""
    gateway: Gateway = app.state.gateway
    return gateway


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that received the request."""
    return gateway_in(request.app)
