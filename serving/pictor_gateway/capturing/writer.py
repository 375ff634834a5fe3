"""Write captured pictures in a thread of their own, and labels in a few: no request waits for a picture."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import uniform
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from pictor_gateway.process.priority import step_back
from pictor_gateway.telemetry.learning_metrics import LearningMetrics
from pictor_store.errors import StoreError
from pictor_store.samples import Judgement, Sample, Samples

log = logging.getLogger("pictor.capture")

_MOST_WAITING = 256
_MOST_WAITING_BYTES = 32 * 1024 * 1024
"""Of pictures that wait to be written; what comes meanwhile is dropped and counted."""

_LABEL_THREADS = 4
_LAST_WORDS_S = 5.0
"""Seconds that the end of the process waits for what is in hand."""

_FIRST_SWEEP_S = (60.0, 300.0)
_SWEEP_EVERY_S = (1800.0, 5400.0)
"""Between two looks for what is too old or too much; by chance, so that replicas take turns."""

_SWEEP_EARLY_SHARE = 0.1
"""Of `capture_max_bytes`: so much written since the last look asks for the next one."""

_MOST_DAYS = 2
"""Days that one look deletes for their age: a clock far ahead is noticed before all is gone."""


class Caught(Protocol):
    """A picture chosen for keeping, as it was sent."""

    @property
    def size(self) -> int:
        """The bytes it holds in memory."""

    @property
    def model(self) -> str:
        """The model that answered."""

    @property
    def reason(self) -> str:
        """Why it was chosen."""

    def developed(self, subject_key: Callable[[bytes], str]) -> tuple[Sample, bytes]:
        """Return the record and the picture's bytes. Slow: not for the event loop."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept, and for how long."""

    max_age_days: float
    max_bytes: int


class SampleWriter:
    """Keeps what it is offered if it can, and deletes what is too old or too much."""

    def __init__(self, samples: Samples, retention: Retention, metrics: LearningMetrics) -> None:
        self._samples = samples
        self._retention = retention
        self._metrics = metrics
        self._waiting: deque[Caught] = deque()
        self._held_bytes = 0
        self._changed = Condition()
        self._closing = False
        self._thread = Thread(target=self._work, name="pictor-capture", daemon=True)
        self._label_threads = ThreadPoolExecutor(_LABEL_THREADS, "pictor-feedback")
        self._written_bytes = 0
        self._trouble = ""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    async def close(self) -> None:
        """Write what is in hand, as far as the place takes it soon."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._label_threads.shutdown(wait=False)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _LAST_WORDS_S)

    def offer(self, caught: Caught) -> None:
        """Take a picture over, or drop it if too many wait. Returns at once."""
        with self._changed:
            if (
                len(self._waiting) >= _MOST_WAITING
                or self._held_bytes + caught.size > _MOST_WAITING_BYTES
                or self._closing
            ):
                self._metrics.capture_dropped.labels("behind").inc()
                return
            self._held_bytes += caught.size
            self._waiting.append(caught)
            self._changed.notify()

    async def judge(self, judgement: Judgement) -> bool:
        """Write a label, and return when it is written: whether it is the prediction's first.

        Raises:
            SamplesError: it could not be.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._label_threads, self._samples.judge, judgement)

    def _work(self) -> None:
        step_back()
        sweep_at = monotonic() + uniform(*_FIRST_SWEEP_S)  # noqa: S311 - no secret
        while True:
            caught = self._next(sweep_at)
            if caught is not None:
                self._keep(caught)
            elif self._closing:
                return
            much = self._written_bytes > _SWEEP_EARLY_SHARE * self._retention.max_bytes
            if not self._closing and (much or monotonic() >= sweep_at):
                self._try(self._sweep)
                self._written_bytes, sweep_at = 0, monotonic() + uniform(*_SWEEP_EVERY_S)  # noqa: S311 - likewise

    def _next(self, until: float) -> Caught | None:
        """Return what waits for longest; None once `until` has come, or the end."""
        with self._changed:
            while not self._waiting and not self._closing:
                left_s = until - monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    return None
            return self._waiting.popleft() if self._waiting else None

    def _keep(self, caught: Caught) -> None:
        if self._try(lambda: self._write(caught)) is None:
            self._metrics.capture_dropped.labels("failed").inc()
        with self._changed:
            self._held_bytes -= caught.size

    def _write(self, caught: Caught) -> bool:
        sample, content = caught.developed(self._samples.subject_key)
        kept = self._samples.write(sample, content)
        if kept:
            self._written_bytes += len(content)
            self._metrics.captured.labels(caught.model, caught.reason).inc()
        return kept

    def _sweep(self) -> bool:
        swept = self._samples.sweep(
            max_age_days=self._retention.max_age_days,
            max_bytes=self._retention.max_bytes,
            most_days=_MOST_DAYS,
            goes_on=lambda: not self._closing,
        )
        if swept.pictures:
            fields = {"pictures": swept.pictures, "bytes": swept.bytes, "bytes_left": swept.bytes_left}
            log.info("captured pictures deleted", extra={"fields": fields})
        return True

    def _try(self, work: Callable[[], bool]) -> bool | None:
        """Return what `work` gives, or None if it failed: that is told once, until something succeeds."""
        try:
            done = work()
        except StoreError as error:
            if not self._trouble:
                log.error("capture fails", extra={"fields": {"reason": str(error)}})  # noqa: TRY400 - the reason is all there is
            self._trouble = str(error)
            return None
        except Exception:  # the thread's own door: pictures that come later must find it alive
            log.exception("capture failed unexpectedly")
            return None
        if self._trouble:
            log.info("capture works again")
            self._trouble = ""
        return done
