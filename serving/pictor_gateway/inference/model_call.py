"""One call of a model on behalf of several pictures, each of which gets its own answer or its own error."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from pictor_gateway.backends.protocol import Inference, ServedVersion
from pictor_gateway.errors import DeadlineExceeded, InferenceFailed
from pictor_gateway.inference.service_times import ServiceTimes
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.metrics import Metrics

_LARGE_BYTES = 512 * 1024
"""A batch above it is not put together on the event loop: 5 MB take several milliseconds there."""

_TRIES_PER_HALVING = 4
"""Two bad pictures among many are found with as many calls as this for each time a batch can be halved."""


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """One picture's scores, or why it has none; how long it waited and how long the model took."""

    scores: NDArray[np.float32] | InferenceFailed
    queued_s: float
    ran_s: float


@dataclass(slots=True, eq=False)
class QueuedPicture:
    """A picture that waits for the model, or is at it since `began`. Cancelling `answer` takes it out."""

    pixels: NDArray[np.uint8]
    deadline: Deadline
    traceparent: str
    answer: asyncio.Future[PictureAnswer]
    joined: float
    began: float | None = None

    def refuse(self, error: Exception) -> None:
        """Give an error instead of an answer, unless nobody waits any more."""
        if not self.answer.done():
            self.answer.set_exception(error)

    @property
    def worth_asking(self) -> bool:
        """Whether somebody still waits for it, in time."""
        return not self.answer.done() and self.deadline.left_s() > 0


class ModelCall:
    """Pictures that are at the model together."""

    def __init__(
        self,
        served: ServedVersion,
        members: Sequence[QueuedPicture],
        times: ServiceTimes,
        metrics: Metrics,
        stacking: Executor,
    ) -> None:
        self.members = members
        self.began = perf_counter()
        self.tried_apart = False
        self.accepted: int | None = None
        """Most pictures answered together, where only the size of the batch was refused."""
        self._served = served
        self._times = times
        self._metrics = metrics
        self._stacking = stacking
        for member in members:
            member.began = self.began
            metrics.queue_wait.observe(self.began - member.joined)

    @property
    def deserted(self) -> bool:
        """Whether nobody waits for any of it any more."""
        return all(member.answer.done() for member in self.members)

    async def run(self, may_split: bool) -> bool:
        """Answer every member; where the model refuses the batch and `may_split`, try them apart.

        Returns whether the model answered anything. What the backend raises for everybody, such as
        `VersionGone`, is raised.
        """
        failed = await self._ask(self.members)
        if failed is None:
            return True
        if may_split and len(self.members) > 1:
            return await self._try_apart(failed)
        self._fail(self.members, failed)
        return False

    async def _try_apart(self, failed: InferenceFailed) -> bool:
        """Halve the batch until the bad ones stand alone, or until that cost more calls than it is worth."""
        self.tried_apart = True
        tries = _TRIES_PER_HALVING * (len(self.members) - 1).bit_length()
        parts = deque(_halves(self.members))
        accepted, all_well = 0, True
        while parts:
            part = [member for member in parts.popleft() if member.worth_asking]
            if not part:
                continue
            if tries == 0:
                self._fail(part, failed)
                all_well = False
                continue
            tries -= 1
            self._metrics.retries.labels("split").inc()
            error = await self._ask(part)
            if error is None:
                accepted = max(accepted, len(part))
            elif len(part) == 1:
                self._fail(part, error)
                all_well = False
            else:
                parts.extend(_halves(part))
        if accepted and all_well:
            self.accepted = accepted
        return accepted > 0

    async def _ask(self, members: Sequence[QueuedPicture]) -> InferenceFailed | None:
        self._metrics.batch_size.observe(len(members))
        deadline = Deadline(max(member.deadline.at for member in members))
        pictures = await self._stack(members)
        began = perf_counter()
        try:
            answer = await self._served.predict(pictures, deadline, _traceparent_of(members))
        except InferenceFailed as error:
            return error
        except DeadlineExceeded:
            self._times.note_at_least(len(members), perf_counter() - began)
            raise
        self._times.note(len(members), perf_counter() - began)
        return self._give(members, answer)

    async def _stack(self, members: Sequence[QueuedPicture]) -> NDArray[np.uint8]:
        pixels = [member.pixels for member in members]
        if len(pixels) == 1:  # not copied
            return pixels[0][np.newaxis]
        if len(pixels) * pixels[0].nbytes <= _LARGE_BYTES:
            return np.stack(pixels)
        return await asyncio.get_running_loop().run_in_executor(self._stacking, np.stack, pixels)

    def _give(self, members: Sequence[QueuedPicture], answer: Inference) -> InferenceFailed | None:
        wanted = (len(members), len(self._served.contract.labels))
        if answer.scores.shape != wanted:
            return InferenceFailed(f"The model answered {answer.scores.shape}; expected {wanted}.")
        finite = np.isfinite(answer.scores).all(axis=1)
        for member, scores, good in zip(members, answer.scores, finite, strict=True):
            if member.answer.done():
                continue
            outcome = scores if good else InferenceFailed("The model's scores are not finite numbers.")
            queued_s = self.began - member.joined + answer.queued_s
            member.answer.set_result(PictureAnswer(outcome, queued_s, answer.ran_s))
        return None

    def _fail(self, members: Sequence[QueuedPicture], error: InferenceFailed) -> None:
        for member in members:
            if not member.answer.done():
                ran_s = perf_counter() - self.began
                member.answer.set_result(PictureAnswer(error, self.began - member.joined, ran_s))


def _traceparent_of(members: Sequence[QueuedPicture]) -> str:
    """Return the first that is recorded, or else the first there is: one call has room for one only."""
    return max((member.traceparent for member in members), key=lambda one: (one.endswith("-01"), one != ""))


def _halves(members: Sequence[QueuedPicture]) -> tuple[Sequence[QueuedPicture], Sequence[QueuedPicture]]:
    middle = len(members) // 2
    return members[:middle], members[middle:]
