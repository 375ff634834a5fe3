"""From pictures to scores: pictures of all requests are put together into calls of the models."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import Overloaded
from pictor_gateway.inference.model_call import PictureAnswer, QueuedPicture
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.inference.version_queue import Experience, VersionQueue
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.metrics import Metrics

_MOST_REMEMBERED = 100
"""Versions whose service times are remembered while nothing of theirs is in line."""


class Batches:
    """One line of pictures per served version, however many requests they come from.

    Used from the event loop only, so it needs no lock.
    """

    def __init__(self, most_queued: int, most_in_batch: int | None, metrics: Metrics) -> None:
        self._most_queued = most_queued
        self._most_in_batch = most_in_batch
        self._metrics = metrics
        self._queues: dict[int, VersionQueue] = {}
        self._experience: OrderedDict[tuple[str, str, int, str], Experience] = OrderedDict()
        self._stacking = ThreadPoolExecutor(1, thread_name_prefix="pictor-stack")

    def close(self) -> None:
        """Give the thread back. No request is at work any more."""
        self._stacking.shutdown(wait=True, cancel_futures=True)

    @property
    def queued(self) -> int:
        """Pictures in line for a model, all together."""
        return sum(queue.waiting for queue in self._queues.values())

    async def predict(
        self,
        served: ServedVersion,
        pictures: Sequence[NDArray[np.uint8]],
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[PictureAnswer]:
        """Return the answer to each of `pictures`, in order. `facts.stage` says how far they are.

        Raises:
            Overloaded: too many pictures are in line.
            DeadlineExceeded: time ran out before a call began.
            VersionGone, BackendUnavailable: as the backend has it.
        """
        facts.stage = "queue"
        deadline.check("queue")
        self._check_room(served, len(pictures))
        loop, now = asyncio.get_running_loop(), perf_counter()
        queued = [
            QueuedPicture(pixels, deadline, facts.traceparent, loop.create_future(), now)
            for pixels in pictures
        ]
        try:
            self._queue_of(served).join(queued)
            return await asyncio.gather(*(picture.answer for picture in queued))
        finally:
            if all(picture.began is not None for picture in queued):
                facts.stage = "inference"
            for picture in queued:
                picture.answer.cancel()

    def outlook(self, served: ServedVersion, before: int, pictures: int) -> Outlook:
        """Return what `pictures` that came now would have to expect, behind `before` on their way here."""
        return self._queue_of(served).outlook(before, pictures)

    def _check_room(self, served: ServedVersion, pictures: int) -> None:
        queued = self.queued
        if queued and queued + pictures > self._most_queued:
            self._metrics.shed.labels("queue").inc()
            refusal = Overloaded(f"{queued} pictures wait for the model already. Try again in a moment.")
            refusal.retry_after_s = max(1, ceil(self.outlook(served, 0, pictures).wait_s))
            raise refusal

    def _queue_of(self, served: ServedVersion) -> VersionQueue:
        queue = self._queues.get(id(served))  # its own for as long as the queue is there: that holds `served`
        if queue is not None:
            return queue
        largest = min(served.contract.max_batch, self._most_in_batch or served.contract.max_batch)
        experience = self._experience_of(served)
        return VersionQueue(served, largest, experience, self._metrics, self._stacking, self._changed)

    def _experience_of(self, served: ServedVersion) -> Experience:
        key = (served.backend, served.name, served.version, served.digest)
        experience = self._experience.setdefault(key, Experience())
        self._experience.move_to_end(key)
        if len(self._experience) > _MOST_REMEMBERED:
            self._experience.popitem(last=False)
        return experience

    def _changed(self, queue: VersionQueue) -> None:
        if not queue.idle:
            self._queues[id(queue.served)] = queue
        elif self._queues.get(id(queue.served)) is queue:
            del self._queues[id(queue.served)]
        self._metrics.queued.set(self.queued)
