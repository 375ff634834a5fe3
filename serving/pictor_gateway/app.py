"""Put the gateway together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from pictor_contract import DecodeLimits, PictureRefused
from pictor_gateway.backends.protocol import Backend
from pictor_gateway.backends.server_metrics import server_metrics_from
from pictor_gateway.capturing.assembly import capturing_from
from pictor_gateway.drift.watch import watch_from
from pictor_gateway.drift.windows import DriftWindows
from pictor_gateway.entrance.access import Access, access_from
from pictor_gateway.entrance.admission import Admission
from pictor_gateway.entrance.door import Door
from pictor_gateway.entrance.gate import Gate
from pictor_gateway.entrance.key_docs import describe_keys
from pictor_gateway.errors import GatewayError
from pictor_gateway.fetching.links import fetcher_from
from pictor_gateway.gateway import Gateway, gateway_in
from pictor_gateway.inference.batching import Batches
from pictor_gateway.inference.catalogue import Catalogue
from pictor_gateway.inference.pipeline import Pipeline
from pictor_gateway.problems import problem_of
from pictor_gateway.process.cores import usable_cores
from pictor_gateway.process.lifecycle import Lifecycle
from pictor_gateway.request.observer import Observer
from pictor_gateway.responses import ErrorResponse
from pictor_gateway.rollout.rollout import rollout_from
from pictor_gateway.rollout.shadow import shadow_from
from pictor_gateway.routes import PROBE_PATHS, PROBES, ROUTES, Route, dialect_of, error_form_of
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.facts import RequestFacts, facts_of
from pictor_gateway.telemetry.loop_lag import watch_lag
from pictor_gateway.telemetry.metrics import Metrics, ModelCollector
from pictor_gateway.telemetry.metrics_text import MetricsWriter
from pictor_gateway.telemetry.tracing import tracing_from


def create_app(
    settings: Settings, backend: Backend, registry: CollectorRegistry, metrics: Metrics | None = None
) -> FastAPI:
    """Return the gateway as an ASGI application; it starts and stops `backend` with its lifespan.

    `registry` is what `/metrics` shows. Metrics that the backend counts in as well, or that several processes
    share, are given as `metrics`. Whoever receives the signals sets `gateway_in(app).lifecycle.draining`.

    Raises:
        InvalidKeys: the settings' API keys cannot be used.
        InvalidSettings: traces cannot be sent as the environment says, or pictures not be captured as told.
    """
    gateway = _assemble(settings, backend, registry, metrics or Metrics(registry))
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
    elsewhere = () if settings.metrics_port is None else PROBES
    _open(app, gateway, [route for route in ROUTES if route not in elsewhere])
    if gateway.access is not None:
        describe_keys(app, {route.path for route in ROUTES if route.needs_key})
    return app


def create_probe_app(app: FastAPI) -> FastAPI:
    """Return what the metrics port serves: the probes and metrics of the gateway that `app` is."""
    probes = FastAPI(openapi_url=None, redirect_slashes=False)
    _open(probes, gateway_in(app), PROBES)
    return probes


def _open(app: FastAPI, gateway: Gateway, routes: Sequence[Route]) -> None:
    """Let `app` serve `routes`, all through the door."""
    app.state.gateway = gateway
    for route in routes:
        _add_route(app, route, gateway.access)
    for kind in (GatewayError, PictureRefused, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_error)
    app.add_middleware(Gate, gateway=gateway, routes=routes, respond=_error_response)
    app.add_middleware(
        Door,
        lifecycle=gateway.lifecycle,
        metrics=gateway.metrics,
        tracing=gateway.tracing,
        dialect_of=dialect_of,
        respond=_error_response,
    )


def _add_route(app: FastAPI, route: Route, access: Access | None) -> None:
    # Before all else: FastAPI looks at a route's own dependencies first, and reads no body for them.
    checks = [Depends(access.admit)] if access is not None and route.needs_key else []
    app.add_api_route(
        route.path,
        route.handler,
        methods=[route.method],
        tags=[route.dialect],
        response_model=None,
        dependencies=checks,
        **route.describe(),
    )
    if route.method == "GET":  # HTTP's promise: HEAD is GET without the body, which uvicorn leaves out
        app.add_api_route(
            route.path, route.handler, methods=["HEAD"], dependencies=checks, include_in_schema=False
        )


def _assemble(settings: Settings, backend: Backend, registry: CollectorRegistry, metrics: Metrics) -> Gateway:
    access = access_from(settings)
    models = ModelCollector(backend)
    registry.register(models)
    limits = DecodeLimits(
        max_bytes=settings.max_body_bytes,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        max_scans=settings.max_scans,
    )
    threads = settings.decode_threads or usable_cores()
    batches = Batches(settings.max_queued_pictures, settings.max_batch_size, metrics)
    pipeline = Pipeline(threads, limits, batches, metrics)
    # As much again as the bodies at work may take.
    most_bytes = settings.max_concurrent_requests * settings.max_body_bytes
    admission = Admission(settings.max_concurrent_requests, most_bytes, metrics)
    rollout = rollout_from(settings, backend, metrics)
    capturing = capturing_from(settings, metrics.learning)
    drift = DriftWindows(settings, backend, metrics.learning)
    observers = _present(
        capturing.capture,
        shadow_from(settings, rollout, pipeline, admission),
        watch_from(settings.drift_rate, drift, metrics.learning),
    )
    return Gateway(
        settings=settings,
        backend=backend,
        catalogue=Catalogue(backend, settings.default_model),
        admission=admission,
        pipeline=pipeline,
        metrics=metrics,
        metrics_writer=MetricsWriter(registry, models.refresh),
        lifecycle=Lifecycle(),
        access=access,
        server_metrics=server_metrics_from(settings, backend, registry),
        fetcher=fetcher_from(settings),
        tracing=tracing_from(settings, PROBE_PATHS),
        rollout=rollout,
        drift=drift,
        predictions=capturing.predictions,
        feedback=capturing.feedback,
        observers=observers,
    )


def _present(*observers: Observer | None) -> tuple[Observer, ...]:
    """Return those that the settings ask for."""
    return tuple(one for one in observers if one is not None)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway = gateway_in(app)
    await gateway.backend.start()
    watches = [watch_lag(gateway.metrics.loop_lag)]
    if gateway.access is not None:
        watches.append(gateway.access.watch())
    watching = [asyncio.create_task(watch) for watch in watches]
    for observer in gateway.observers:
        await observer.start()
    yield
    for watch in watching:
        watch.cancel()
    for observer in gateway.observers:
        await observer.close()
    gateway.pipeline.close()
    if gateway.fetcher is not None:
        gateway.fetcher.close()
    if gateway.server_metrics is not None:
        await gateway.server_metrics.close()
    await gateway.backend.close()
    await asyncio.to_thread(gateway.tracing.close)  # may wait for the collector


async def _answer_error(request: Request, error: Exception) -> Response:
    return _error_response(request.scope, facts_of(request), error)


def _error_response(scope: Scope, facts: RequestFacts, error: Exception) -> Response:
    problem = problem_of(error)
    facts.code = problem.code
    return ErrorResponse(problem, facts, error_form_of(scope))
