"""The way of a picture through the gateway, the same for every dialect: decode, batch, predict."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pictor_contract import DecodedPicture, DecodeLimits, PictureInput, PictureRefused, decode_picture
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.batching import RequestBatches
from pictor_gateway.deadline import Deadline
from pictor_gateway.encoded import EncodedPicture
from pictor_gateway.errors import DeadlineExceeded, InvalidBase64
from pictor_gateway.facts import RequestFacts
from pictor_gateway.metrics import Metrics

Result = TypeVar("Result")
Refusal = PictureRefused | InvalidBase64


@dataclass(frozen=True, slots=True)
class Recognised:
    """One picture's calibrated scores, and the picture as it was sent."""

    scores: NDArray[np.float32]
    format: str
    width: int
    height: int
    frames: int


@dataclass(frozen=True, slots=True)
class _Decoding:
    outcome: DecodedPicture | Refusal
    began: float
    ended: float


class Pipeline:
    """Decodes in its own threads, never more of them than told, and asks the model in batches."""

    def __init__(
        self, decode_threads: int, limits: DecodeLimits, batches: RequestBatches, metrics: Metrics
    ) -> None:
        self._threads = ThreadPoolExecutor(decode_threads, thread_name_prefix="pictor-decode")
        self._limits = limits
        self._batches = batches
        self._metrics = metrics

    def close(self) -> None:
        """Give the threads back; what still waits for one is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def off_loop(self, work: Callable[[], Result], deadline: Deadline, facts: RequestFacts) -> Result:
        """Run `work`, which may take long, in a decoding thread.

        Raises:
            DeadlineExceeded: time ran out.
        """
        with _named_timeout(facts):
            async with asyncio.timeout(deadline.left_s()):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def recognise(
        self,
        served: ServedVersion,
        pictures: Sequence[EncodedPicture],
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[Recognised | Refusal]:
        """Return each picture's scores, or why it was refused, in order. One refusal harms no other picture.

        Raises:
            DeadlineExceeded: time ran out; work that had not begun is dropped.
            InferenceFailed: the model broke.
        """
        with _named_timeout(facts):
            async with asyncio.timeout(deadline.left_s()):
                return await self._recognise(served, pictures, deadline, facts)

    async def _recognise(
        self,
        served: ServedVersion,
        pictures: Sequence[EncodedPicture],
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[Recognised | Refusal]:
        facts.stage = "decode"
        outcomes = await self._decode_all(pictures, served.contract.input, deadline, facts)
        facts.stage = "inference"
        pixels = [one.pixels for one in outcomes if isinstance(one, DecodedPicture)]
        if not pixels:
            return [one for one in outcomes if not isinstance(one, DecodedPicture)]
        answer = await self._batches.predict(served, pixels, deadline)
        facts.add("queue", answer.queued_s)
        facts.add("inference", answer.ran_s)
        rows = iter(answer.scores)
        return [
            Recognised(next(rows), one.format, one.width, one.height, one.frames)
            if isinstance(one, DecodedPicture)
            else one
            for one in outcomes
        ]

    async def _decode_all(
        self,
        pictures: Sequence[EncodedPicture],
        picture_input: PictureInput,
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[DecodedPicture | Refusal]:
        asked = perf_counter()
        loop = asyncio.get_running_loop()
        decodings = await asyncio.gather(
            *(
                loop.run_in_executor(self._threads, self._decode, picture, picture_input, deadline)
                for picture in pictures
            )
        )
        began = min(decoding.began for decoding in decodings)
        facts.add("queue", began - asked)
        facts.add("decode", max(decoding.ended for decoding in decodings) - began)
        outcomes = [decoding.outcome for decoding in decodings]
        for outcome in outcomes:
            self._note(outcome, facts)
        return outcomes

    def _decode(self, picture: EncodedPicture, picture_input: PictureInput, deadline: Deadline) -> _Decoding:
        began = perf_counter()
        deadline.check("decode")
        outcome: DecodedPicture | Refusal
        try:
            data = picture if isinstance(picture, bytes) else picture.to_bytes()
            outcome = decode_picture(data, picture_input, self._limits)
        except (PictureRefused, InvalidBase64) as refusal:
            outcome = refusal
        return _Decoding(outcome, began, perf_counter())

    def _note(self, outcome: DecodedPicture | Refusal, facts: RequestFacts) -> None:
        if isinstance(outcome, DecodedPicture):
            self._metrics.pictures.labels(outcome.format, "decoded").inc()
            facts.pictures.append(
                {"format": outcome.format, "width": outcome.width, "height": outcome.height}
            )
        else:
            self._metrics.pictures.labels("unknown", outcome.code).inc()
            facts.pictures.append({"refused": outcome.code})


@contextmanager
def _named_timeout(facts: RequestFacts) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise DeadlineExceeded(facts.stage) from error
