"""Admit a request or refuse it at once: a short queue answers, a long one only grows."""

from collections.abc import Iterator
from contextlib import contextmanager

from pictor_gateway.errors import Overloaded
from pictor_gateway.metrics import Metrics


class Admission:
    """At most `limit` requests at work; used from the event loop only, so it needs no lock."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._inside = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place while the block runs.

        Raises:
            Overloaded: every place is taken.
        """
        if self._inside >= self._limit:
            self._metrics.shed.labels("concurrency").inc()
            raise Overloaded(f"All {self._limit} places are taken. Try again in a moment.")
        self._inside += 1
        self._metrics.inflight.inc()
        try:
            yield
        finally:
            self._inside -= 1
            self._metrics.inflight.dec()
