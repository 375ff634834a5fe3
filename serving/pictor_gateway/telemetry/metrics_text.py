"""The metrics as text, made beside the event loop: many servers' or workers' numbers take long to write."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


@dataclass(frozen=True, slots=True)
class MetricsText:
    """The numbers in the form that was asked for."""

    content: bytes
    content_type: str


class MetricsWriter:
    """Writes one text at a time, in a thread. Who asks for the same form meanwhile gets the same text.

    `refresh` is called on the event loop before each: there collectors take what only the loop may look at.
    """

    def __init__(self, registry: CollectorRegistry, refresh: Callable[[], None]) -> None:
        self._registry = registry
        self._refresh = refresh
        self._one_at_a_time = asyncio.Lock()
        self._running: dict[str, asyncio.Task[bytes]] = {}

    async def write(self, accept: str) -> MetricsText:
        """Return the numbers in Prometheus' or OpenMetrics' form, as the Accept header says."""
        try:
            encode, content_type = choose_encoder(accept)
        except TypeError:  # its answer to an Accept header with a version that is no number
            encode, content_type = choose_encoder("")
        running = self._running.get(content_type)
        if running is None:
            running = self._running[content_type] = asyncio.create_task(self._encode(encode))
            running.add_done_callback(lambda _: self._running.pop(content_type))
        content = await asyncio.shield(running)  # one who goes leaves it to the others
        return MetricsText(content, content_type)

    async def _encode(self, encode: Callable[[CollectorRegistry], bytes]) -> bytes:
        async with self._one_at_a_time:
            self._refresh()
            return await asyncio.to_thread(encode, self._registry)
