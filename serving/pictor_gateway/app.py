"""Put the gateway together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pictor_contract import DecodeLimits, PictureRefused
from pictor_gateway.admission import Admission
from pictor_gateway.backends.protocol import Backend
from pictor_gateway.batching import RequestBatches
from pictor_gateway.catalogue import Catalogue
from pictor_gateway.cores import usable_cores
from pictor_gateway.door import Door
from pictor_gateway.errors import GatewayError
from pictor_gateway.facts import facts_of
from pictor_gateway.gateway import Gateway, gateway_in
from pictor_gateway.lifecycle import Lifecycle
from pictor_gateway.metrics import Metrics, ModelCollector
from pictor_gateway.pipeline import Pipeline
from pictor_gateway.problems import problem_of
from pictor_gateway.responses import ProblemResponse
from pictor_gateway.routes import ROUTES
from pictor_gateway.settings import Settings


def create_app(settings: Settings, backend: Backend, registry: CollectorRegistry) -> FastAPI:
    """Return the gateway as an ASGI application; it starts and stops `backend` with its lifespan.

    Whoever receives the signals sets `gateway_in(app).lifecycle.draining`.
    """
    gateway = _assemble(settings, backend, registry)
    app: FastAPI = FastAPIOffline(
        title="Pictor",
        version=version("pictor"),
        description="Send a picture, get labels and scores.",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs/assets",
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.gateway = gateway
    for route in ROUTES:
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            tags=[route.dialect],
            response_model=None,
            **route.describe(),
        )
        if route.method == "GET":  # HTTP's promise: HEAD is GET without the body, which uvicorn leaves out
            app.add_api_route(route.path, route.handler, methods=["HEAD"], include_in_schema=False)
    for kind in (GatewayError, PictureRefused, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_problem)
    app.add_middleware(
        Door,
        lifecycle=gateway.lifecycle,
        metrics=gateway.metrics,
        dialects={route.path: route.dialect for route in ROUTES},
    )
    return app


def _assemble(settings: Settings, backend: Backend, registry: CollectorRegistry) -> Gateway:
    metrics = Metrics(registry)
    registry.register(ModelCollector(backend))
    limits = DecodeLimits(
        max_bytes=settings.max_body_bytes,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        max_scans=settings.max_scans,
    )
    threads = settings.decode_threads or usable_cores()
    return Gateway(
        settings=settings,
        backend=backend,
        registry=registry,
        catalogue=Catalogue(backend, settings.default_model),
        admission=Admission(settings.max_concurrent_requests, metrics),
        pipeline=Pipeline(threads, limits, RequestBatches(metrics), metrics),
        metrics=metrics,
        lifecycle=Lifecycle(),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway = gateway_in(app)
    await gateway.backend.start()
    yield
    gateway.pipeline.close()
    await gateway.backend.close()


async def _answer_problem(request: Request, error: Exception) -> Response:
    facts = facts_of(request)
    problem = problem_of(error)
    facts.code = problem.code
    return ProblemResponse(problem, facts)
