"""Run the gateway as a process: listen, announce, drain, stop."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from pictor_gateway.app import create_app, create_probe_app
from pictor_gateway.backends.assembly import backend_from
from pictor_gateway.capturing.assembly import check_capturing
from pictor_gateway.entrance.access import access_from
from pictor_gateway.gateway import gateway_in
from pictor_gateway.process.connection import header_limited
from pictor_gateway.process.listening import ANNOUNCEMENT, BACKLOG, Listeners, listen
from pictor_gateway.process.memory import return_large_blocks
from pictor_gateway.process.priority import let_the_loop_in
from pictor_gateway.process.workers import supervise
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.logs import configure_logging
from pictor_gateway.telemetry.metrics import Metrics
from pictor_gateway.telemetry.tracing import check_tracing

log = logging.getLogger("pictor.server")

_PROBES_END_S = 1
"""Seconds that an answer on the probes' own port may still take when all else has ended."""


def run(settings: Settings, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM or Ctrl-C, then return. `environment` is handed on to worker processes.

    Raises:
        CannotListen: a port is taken, or the address is not ours.
        InvalidKeys: the API keys cannot be used.
        InvalidSettings: what the settings name cannot be used.
        WorkersFailed: no worker process ever came up.
    """
    access_from(settings)  # faulty keys are a fault of usage: told first, and once for all workers
    check_tracing(settings)
    check_capturing(settings)
    listeners = listen(settings)
    configure_logging(settings.log_level, sys.stderr)
    if settings.workers > 1:
        supervise(settings, listeners, environment)
        return
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    app = assemble(settings, registry, Metrics(registry))
    GatewayServer(app, settings, listeners).run_on_listeners()


def assemble(settings: Settings, registry: CollectorRegistry, metrics: Metrics) -> FastAPI:
    """Return the gateway with the backend that the settings ask for."""
    return_large_blocks()
    let_the_loop_in()
    return create_app(settings, backend_from(settings, metrics, registry), registry, metrics)


class GatewayServer(uvicorn.Server):
    """uvicorn with our own end: not ready at once, serve on while balancers notice, finish, exit code 0."""

    def __init__(self, app: FastAPI, settings: Settings, listeners: Listeners) -> None:
        super().__init__(uvicorn_config(app, settings))
        self._gateway = gateway_in(app)
        self._listeners = listeners
        self._drain_s = settings.drain_s
        self._probes = _ProbeServer(app, settings)
        self._probing: asyncio.Task[None] | None = None

    def run_on_listeners(self) -> None:
        """Serve until a signal comes, then return."""
        self.run(sockets=[self._listeners.main])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve the probes' own port as well, if there is one."""
        await super().startup(sockets)
        if self._listeners.probes is not None:
            probing = self._probes.serve(sockets=[self._listeners.probes])
            self._probing = asyncio.get_running_loop().create_task(probing)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; the probes last, so that they answer for as long as there is anything to ask about."""
        await super().shutdown(sockets)
        if self._probing is not None:
            self._probes.should_exit = True
            await self._probing

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replace uvicorn's way, which raises the signal again at the end and so never exits with 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain, self._drain_s)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        announcing = loop.create_task(self._announce())
        try:
            yield
        finally:
            announcing.cancel()

    def drain(self, delay_s: float) -> None:
        """Be not ready from now on, and end after `delay_s` and what is then at work."""
        self._gateway.lifecycle.draining = True
        log.info("draining", extra={"fields": {"delay_s": delay_s}})
        asyncio.get_running_loop().call_later(delay_s, self._stop)

    def _interrupt(self) -> None:
        """Ctrl-C is a person who waits: no delay, and the second one drops what is still at work."""
        self.force_exit = self._gateway.lifecycle.draining
        self.drain(0.0)

    def _stop(self) -> None:
        self.should_exit = True

    async def _announce(self) -> None:
        backend = self._gateway.backend
        await backend.started.wait()
        served = [f"{model.name}/{one.version}" for model in backend.models() for one in model.available]
        parts = [
            f"{ANNOUNCEMENT}{self._listeners.address}",
            f"models {', '.join(served)}" if served else f"no model yet in {backend.source}",
            "documentation at /docs",
        ]
        if self._listeners.probes is not None:
            parts.append(f"probes and metrics on {self._listeners.probes_address}")
        print(", ".join(parts), flush=True)  # noqa: T201 - for the person at the terminal, and for scripts that wait for it


class _ProbeServer(uvicorn.Server):
    """Probes and metrics on a port of their own, in the loop and with the parts of the gateway itself."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn_config(create_probe_app(app), settings)
        config.timeout_graceful_shutdown = _PROBES_END_S
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the gateway's server."""
        yield


def uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves `app`: a fast loop, our limits, our logs."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=header_limited(settings.receive_timeout_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        # What was admitted has at most this long, or what its client's header asked for, which counts from
        # its arrival; only a client that stopped reading is cut off by it.
        timeout_graceful_shutdown=ceil(
            max(settings.receive_timeout_s + settings.request_timeout_s, settings.max_request_timeout_s)
        )
        + 1,
    )
