"""Admit a request or refuse it at once: a short queue answers, a long one only grows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from pictor_gateway.errors import Overloaded
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.telemetry.metrics import Metrics

_SHARE_OF_BUDGET = 0.6
"""Of the time that a request has. The model may become slower while it waits: by half, and it is in time."""

_BODIES_PER_PLACE = 4
"""Bodies that may be on their way for each place of work: a client that is slow to send takes none."""


class Admission:
    """At most `limit` requests at work, and none that could not be answered in time.

    Bodies on their way hold together no more than `most_bytes`. Used from the event loop only, so it needs no
    lock.
    """

    def __init__(self, limit: int, most_bytes: int, metrics: Metrics) -> None:
        self._limit = limit
        self._most_bytes = most_bytes
        self._metrics = metrics
        self._receiving = 0
        self._bytes = 0
        self._inside = 0

    @property
    def busy(self) -> bool:
        """Whether half of the places of work are taken: what nobody waits for should not be begun."""
        return 2 * self._inside >= self._limit

    @contextmanager
    def receiving(self) -> Iterator[Callable[[int], None]]:
        """Let a body come while the block runs; what it brings is told to the function that this gives.

        Raises:
            Overloaded: every place of work is taken, or too many bodies, or bytes of them, are on their way.
        """
        self.check_place()
        if self._receiving >= _BODIES_PER_PLACE * self._limit:
            raise self._too_many(f"{self._receiving} bodies are on their way already.")
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if self._bytes + count > self._most_bytes:
                raise self._too_many("The bodies on their way take all the memory there is for them.")
            held += count
            self._bytes += count

        self._receiving += 1
        self._show()
        try:
            yield take
        finally:
            self._receiving -= 1
            self._bytes -= held
            self._show()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place of work while the block runs.

        Raises:
            Overloaded: every place is taken.
        """
        self.check_place()
        self._inside += 1
        self._show()
        try:
            yield
        finally:
            self._inside -= 1
            self._show()

    def check_place(self) -> None:
        """Refuse if every place is taken.

        Raises:
            Overloaded: it is so.
        """
        if self._inside >= self._limit:
            self._metrics.shed.labels("concurrency").inc()
            raise Overloaded(f"All {self._limit} places are taken. Try again in a moment.")

    def _too_many(self, text: str) -> Overloaded:
        self._metrics.shed.labels("receiving").inc()
        return Overloaded(f"{text} Try again in a moment.")

    def _show(self) -> None:
        admitted = self._receiving + self._inside
        self._metrics.inflight.set(admitted)
        if not admitted:
            self._metrics.predicted_wait.set(0)

    def check(self, outlook: Outlook, budget_s: float) -> None:
        """Refuse what would be answered too late. Where nothing is ahead of it, the attempt is always made.

        So a gateway that measured something very slow finds out when it is over.

        Raises:
            Overloaded: the wait would take too much of `budget_s`.
        """
        self._metrics.predicted_wait.set(outlook.wait_s)
        if outlook.wait_s == 0 or outlook.wait_s + outlook.work_s <= _SHARE_OF_BUDGET * budget_s:
            return
        self._metrics.shed.labels("predicted_wait").inc()
        refusal = Overloaded(
            f"The wait would be {outlook.wait_s:.1f} s, and the request has {max(0.0, budget_s):.1f} s. "
            "Try again in a moment."
        )
        refusal.retry_after_s = max(1, ceil(outlook.wait_s))
        raise refusal
