"""Run the gateway as a process: listen, announce, drain, stop."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from pictor_gateway.app import create_app
from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.connection import header_limited
from pictor_gateway.cores import usable_cores
from pictor_gateway.gateway import gateway_in
from pictor_gateway.logs import configure_logging
from pictor_gateway.memory import return_large_blocks
from pictor_gateway.settings import Settings

log = logging.getLogger("pictor.server")

_BACKLOG = 2048
"""Connections that may wait to be accepted; uvicorn's own number."""


class CannotListen(Exception):
    """The address cannot be had; the message says why."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then return.

    Raises:
        CannotListen: the port is taken, or the address is not ours.
    """
    listener = _listen(settings.host, settings.port)
    configure_logging(settings.log_level, sys.stderr)
    return_large_blocks()
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    backend = EmbeddedBackend(
        settings.models,
        settings.keep_versions,
        settings.inference_threads or usable_cores(),
        settings.poll_interval_s,
    )
    app = create_app(settings, backend, registry)
    GatewayServer(app, settings, _address(listener)).run(sockets=[listener])


class GatewayServer(uvicorn.Server):
    """uvicorn with our own end: not ready at once, serve on while balancers notice, finish, exit code 0."""

    def __init__(self, app: FastAPI, settings: Settings, address: str) -> None:
        super().__init__(uvicorn_config(app, settings))
        self._gateway = gateway_in(app)
        self._address = address
        self._drain_s = settings.drain_s

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replace uvicorn's way, which raises the signal again at the end and so never exits with 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain, self._drain_s)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        announcing = loop.create_task(self._announce())
        try:
            yield
        finally:
            announcing.cancel()

    def _drain(self, delay_s: float) -> None:
        self._gateway.lifecycle.draining = True
        log.info("draining", extra={"fields": {"delay_s": delay_s}})
        asyncio.get_running_loop().call_later(delay_s, self._stop)

    def _interrupt(self) -> None:
        """Ctrl-C is a person who waits: no delay, and the second one drops what is still at work."""
        self.force_exit = self._gateway.lifecycle.draining
        self._drain(0.0)

    def _stop(self) -> None:
        self.should_exit = True

    async def _announce(self) -> None:
        backend = self._gateway.backend
        await backend.started.wait()
        served = [f"{model.name}/{one.version}" for model in backend.models() for one in model.available]
        state = f"models {', '.join(served)}" if served else f"no model yet in {backend.source}"
        print(f"pictor: listening on {self._address}, {state}, documentation at /docs", flush=True)  # noqa: T201 - for the person at the terminal, and for scripts that wait for it


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
        backlog=_BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        # What was admitted has at most this long; only a client that stopped reading is cut off by it.
        timeout_graceful_shutdown=round(settings.receive_timeout_s + settings.request_timeout_s) + 1,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen before anything slow, so that a taken port is told at once."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):  # "::" then takes IPv4 as well, where the system allows it
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port} ({error.strerror}). Choose others with --host and --port."
        ) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
