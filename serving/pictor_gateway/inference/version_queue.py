"""One version's pictures, in line for its model."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import ceil, inf
from time import monotonic, perf_counter

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import DeadlineExceeded
from pictor_gateway.inference.model_call import ModelCall, PictureAnswer, QueuedPicture
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.inference.service_times import ServiceTimes
from pictor_gateway.telemetry.metrics import Metrics

log = logging.getLogger("pictor.models")

_HANGS = 4.0
"""Times as long as a call of the largest batch should take: its server is in trouble, not just busy."""

_SPLIT_PAUSE_S = 1.0
"""After a batch that was tried apart in vain: the model is broken, and more tries would only add load."""


_SMALLER_FOR_S = 60.0
"""How long batches stay as small as the parts of one that was refused for nothing but its size."""


@dataclass(slots=True)
class Experience:
    """What stays known of a version with nothing in line.

    Batches are split from `split_again` on; until `smaller_until` they have at most `accepted` pictures.
    """

    times: ServiceTimes = field(default_factory=ServiceTimes)
    split_again: float = 0.0
    accepted: int = 1
    smaller_until: float = 0.0


class VersionQueue:
    """Starts calls of one version as soon as they are worth it; first come, first served.

    Up to half of `parallel_calls` start at once: each keeps a server or a core busy. The others are there to
    bridge the pause between two calls, so they wait for company: for a full batch, for about as long as a
    call takes, or until the tightest deadline asks for it. Where batches are not cheaper than single
    pictures, they do not wait either. When a call ends, the next starts with whatever is in line.
    """

    def __init__(
        self,
        served: ServedVersion,
        largest: int,
        experience: Experience,
        metrics: Metrics,
        stacking: Executor,
        on_change: Callable[["VersionQueue"], None],
    ) -> None:
        self.served = served
        self._most = largest
        self._experience = experience
        self._times = experience.times
        self._metrics = metrics
        self._stacking = stacking
        self._on_change = on_change
        self._waiting: deque[QueuedPicture] = deque()
        self._calls: dict[asyncio.Task[bool], ModelCall] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Pictures in line."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing is in line or at work."""
        return not self._waiting and not self._calls

    def join(self, pictures: Sequence[QueuedPicture]) -> None:
        """Get in line. A picture whose answer is cancelled leaves it."""
        for picture in pictures:
            picture.answer.add_done_callback(partial(self._left, picture))
        self._waiting.extend(pictures)
        self._start_what_is_due()

    def outlook(self, before: int, pictures: int) -> Outlook:
        """Return what `pictures` that came now would have to expect, behind `before` that are on their way.

        One call that hangs takes its place away and says nothing of the others; if all do, all take longer.
        """
        now = perf_counter()
        hangs_s = _HANGS * self._times.estimate(self._most) or inf
        moving = [call for call in self._calls.values() if now - call.began <= hangs_s]
        slots = max(1, self._slots - len(self._calls) + len(moving))
        ahead = len(self._waiting) + before
        size = min(self._largest, ahead + pictures)
        call_s = self._times.estimate(size)
        first_s = 0.0
        if len(self._calls) >= self._slots:
            hung_s = now - max(call.began for call in self._calls.values())
            first_s = min((self._left_s(call, now - call.began) for call in moving), default=hung_s)
        return Outlook(first_s + ahead // size / slots * call_s, ceil(pictures / (size * slots)) * call_s)

    def _left_s(self, call: ModelCall, spent_s: float) -> float:
        """Foresee how long a call still takes; one that takes longer than expected, as long again."""
        left_s = self._times.estimate(len(call.members)) - spent_s
        return left_s if left_s > 0 else spent_s

    @property
    def _largest(self) -> int:
        experience = self._experience
        most = self._most if monotonic() >= experience.smaller_until else experience.accepted
        return self._times.worthwhile(min(self._most, most))

    @property
    def _slots(self) -> int:
        return max(1, self.served.parallel_calls)

    def _start_what_is_due(self) -> None:
        while self._waiting and len(self._calls) < self._slots and self._due_in_s() <= 0:
            self._start()
        self._wait_for_the_next()

    def _due_in_s(self) -> float:
        """Seconds until another call is worth it, beside those under way."""
        size = len(self._waiting)
        if 2 * len(self._calls) < self._slots or size >= self._largest:
            return 0.0
        patience_s = self._times.patience_s(size)
        if not patience_s:
            return 0.0
        waited_s = perf_counter() - self._waiting[0].joined
        tightest = min(picture.deadline.at for picture in self._waiting)
        spare_s = tightest - monotonic() - self._times.estimate(size)
        return min(patience_s - waited_s, spare_s)

    def _wait_for_the_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and len(self._calls) < self._slots:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._due_in_s()), self._start_now)
        self._on_change(self)

    def _start_now(self) -> None:
        """Start a call with whatever is in line: the timer says so, or a call has just ended."""
        if self._waiting and len(self._calls) < self._slots:
            self._start()
        self._start_what_is_due()

    def _start(self) -> None:
        members: list[QueuedPicture] = []
        largest = self._largest
        while self._waiting and len(members) < largest:
            picture = self._waiting.popleft()
            if picture.worth_asking:
                members.append(picture)
            else:
                picture.refuse(DeadlineExceeded("queue"))
        if not members:
            return
        call = ModelCall(self.served, members, self._times, self._metrics, self._stacking)
        task = asyncio.get_running_loop().create_task(
            call.run(may_split=monotonic() >= self._experience.split_again)
        )
        self._calls[task] = call
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[bool]) -> None:
        call = self._calls.pop(task)
        if not task.cancelled():
            error = task.exception()
            if isinstance(error, Exception):
                for member in call.members:
                    member.refuse(error)
            elif call.tried_apart and not task.result():
                self._experience.split_again = monotonic() + _SPLIT_PAUSE_S
            elif call.accepted is not None:
                self._heed_size(call)
        self._start_now()

    def _heed_size(self, call: ModelCall) -> None:
        """Keep to what the server accepts: its own largest batch may be smaller than the contract's."""
        self._experience.accepted = call.accepted or 1
        self._experience.smaller_until = monotonic() + _SMALLER_FOR_S
        sizes = {"refused": len(call.members), "accepted": call.accepted}
        fields = {"model": self.served.name, "version": self.served.version, **sizes}
        log.warning("batch refused for its size; see --max-batch-size", extra={"fields": fields})

    def _left(self, picture: QueuedPicture, answer: asyncio.Future[PictureAnswer]) -> None:
        """Act on an answer that nobody waits for any more."""
        if not answer.cancelled():
            return
        if picture.began is None:
            with suppress(ValueError):  # it has just been passed over
                self._waiting.remove(picture)
            self._wait_for_the_next()
            return
        for task, call in self._calls.items():
            if picture in call.members and call.deserted:
                task.cancel()
