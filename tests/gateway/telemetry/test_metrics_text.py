"""The metrics are written beside the event loop, once for all who ask at the same time."""

import asyncio
import threading
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from pictor_gateway.telemetry.metrics_text import MetricsWriter


class _Slow(Collector):
    """Is read as long as a test says."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self.threads: list[int] = []

    def describe(self) -> Iterable[Metric]:
        """Return nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Wait."""
        self.threads.append(threading.get_ident())
        self.entered.set()
        assert self.opened.wait(30)
        return ()


def test_a_text_that_takes_long_is_written_once_for_all_and_holds_nothing_up() -> None:
    """Who gives up meanwhile takes it from nobody; each form is a text of its own."""
    slow, refreshed = _Slow(), []
    registry = CollectorRegistry()
    registry.register(slow)

    async def scrape() -> list[str]:
        writer = MetricsWriter(registry, lambda: refreshed.append(threading.get_ident()))
        gone, *asking = [asyncio.create_task(writer.write(form)) for form in ("", "", "", _OPEN)]
        await asyncio.to_thread(slow.entered.wait, 30)
        gone.cancel()
        slow.opened.set()
        return [text.content_type.partition(";")[0] for text in await asyncio.gather(*asking)]

    assert ["text/plain", "text/plain", "application/openmetrics-text"] == asyncio.run(scrape())
    assert [threading.get_ident()] * 2 == refreshed
    assert len(slow.threads) == len(refreshed)
    assert threading.get_ident() not in slow.threads


_OPEN = "application/openmetrics-text; version=1.0.0"
