"""One of several worker processes: `python -m pictor_gateway.process.worker`, which only `workers.py` calls.

It is told what to do on its standard input, and says on its standard output that it is up and alive.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, values
from prometheus_client.multiprocess import MultiProcessCollector

from pictor_gateway.entrance.api_keys import InvalidKeys
from pictor_gateway.gateway import gateway_in
from pictor_gateway.process.listening import Listeners
from pictor_gateway.process.server import GatewayServer, assemble
from pictor_gateway.process.workers import Order
from pictor_gateway.settings import InvalidSettings, Settings
from pictor_gateway.telemetry.logs import configure_logging
from pictor_gateway.telemetry.metrics import Metrics

log = logging.getLogger("pictor.worker")

_BEAT_S = 1.0
"""Seconds between two signs of life."""


class WorkerServer(GatewayServer):
    """The gateway's server in a worker: it ends when the process above it is gone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Show that the loop turns, and watch the process above, whose end closes standard input."""
        loop = asyncio.get_running_loop()
        with super().capture_signals():
            beating = loop.create_task(_beat())
            loop.add_reader(sys.stdin.fileno(), self._orphaned)
            try:
                yield
            finally:
                loop.remove_reader(sys.stdin.fileno())
                beating.cancel()

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.drain(self._drain_s)


def _listen_once_started(app: FastAPI) -> None:
    """Leave connections to the others until the models have been tried.

    The first workers do not wait: somebody must answer the probes meanwhile.
    """
    begin = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with begin(app):
            await gateway_in(app).backend.started.wait()
            yield

    app.router.lifespan_context = lifespan


async def _beat() -> None:
    while True:
        try:
            os.write(sys.stdout.fileno(), b"\n")
        except BrokenPipeError:  # nobody listens any more
            return
        await asyncio.sleep(_BEAT_S)


def work() -> None:
    """Serve as the order says."""
    order = Order.read(sys.stdin.readline())
    settings = Settings.load(order.settings, {})
    configure_logging(settings.log_level, sys.stderr)
    # By its place, not by its process id: a worker that follows another one counts on where that one ended,
    # and no file is left for each that ever died.
    values.ValueClass = values.MultiProcessValue(lambda: order.slot)  # type: ignore[no-untyped-call]  # untyped there
    registry = CollectorRegistry()
    MultiProcessCollector(registry, order.metrics_folder)  # type: ignore[no-untyped-call]  # untyped there
    PlatformCollector(registry)  # those of a single process, such as its memory, would mislead here
    try:
        app = assemble(settings, registry, Metrics(None))
    except (InvalidKeys, InvalidSettings) as error:
        log.error("worker cannot start", extra={"fields": {"reason": str(error)}})  # noqa: TRY400 - a person can mend it without a traceback
        sys.exit(1)
    if order.joins_others:
        _listen_once_started(app)
    WorkerServer(app, settings, Listeners.inherited(order.filenos)).run_on_listeners()


if __name__ == "__main__":
    work()
