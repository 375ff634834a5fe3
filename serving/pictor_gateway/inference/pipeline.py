"""The way of a picture through the gateway, the same for every dialect: decode, batch, predict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pictor_contract import DecodedPicture, DecodeLimits, PictureInput, PictureRefused, decode_picture
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import InferenceFailed, InvalidBase64, InvalidTensor, UrlFetchFailed, UrlRefused
from pictor_gateway.inference.batching import Batches
from pictor_gateway.inference.decoding import DecodeThreads, Done
from pictor_gateway.inference.model_call import PictureAnswer
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.encoded import RAW, Base64Picture, MissingPicture, RawPixels, SentPicture
from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.metrics import Metrics

Result = TypeVar("Result")
Unreadable = PictureRefused | InvalidBase64 | InvalidTensor | UrlRefused | UrlFetchFailed
Refusal = Unreadable | InferenceFailed
"""Why one picture has no scores. The others of its request have theirs."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """One picture's calibrated scores, and the picture as it was sent."""

    scores: NDArray[np.float32]
    format: str
    width: int
    height: int
    frames: int


class Pipeline:
    """Decodes in its own threads, never more of them than told, and asks the model in batches."""

    def __init__(self, decode_threads: int, limits: DecodeLimits, batches: Batches, metrics: Metrics) -> None:
        self._threads = DecodeThreads(decode_threads)
        self._limits = limits
        self._batches = batches
        self._metrics = metrics

    def close(self) -> None:
        """Give the threads back; what still waits for one is dropped."""
        self._threads.close()
        self._batches.close()

    def outlook(self, served: ServedVersion, pictures: int) -> Outlook:
        """Return what a request with `pictures` that came now would have to expect.

        Decoding and the model work side by side, so the slower of the two decides how long it waits.
        """
        decoding = self._threads.outlook(pictures)
        model = self._batches.outlook(served, self._threads.unfinished, pictures)
        return Outlook(max(decoding.wait_s, model.wait_s), decoding.work_s + model.work_s)

    def is_busy(self, *versions: ServedVersion) -> bool:
        """Whether one more picture for any of `versions` would have to wait for the model."""
        return any(self._batches.outlook(served, 0, 1).wait_s > 0 for served in versions)

    async def off_loop(self, work: Callable[[], Result], deadline: Deadline, stage: str) -> Result:
        """Run `work`, which may take long, in a decoding thread; not at all if it would begin too late.

        Raises:
            DeadlineExceeded: it would.
        """
        (done,) = await self._threads.run([partial(_in_time, work, deadline, stage)])
        return done.result

    async def decode(
        self,
        pictures: Sequence[SentPicture],
        picture_input: PictureInput,
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[DecodedPicture | Unreadable]:
        """Return each picture's pixels, or why it was refused, in order. One refusal harms no other picture.

        Raises:
            DeadlineExceeded: time ran out before the last one was begun.
        """
        facts.stage = "decode"
        deadline.check("decode")
        asked = perf_counter()
        done = await self._decode_all(pictures, picture_input, deadline)
        began, ended = min(one.began for one in done), max(one.ended for one in done)
        facts.add("queue", began - asked)
        facts.add("decode", ended - began)
        outcomes = [one.result for one in done]
        for outcome in outcomes:
            self._note(outcome, facts)
        return outcomes

    async def decode_unseen(
        self, pictures: Sequence[SentPicture], picture_input: PictureInput, deadline: Deadline
    ) -> list[DecodedPicture | Unreadable]:
        """Do the same for pictures that are nobody's request; they are not counted.

        Raises:
            DeadlineExceeded: as above.
        """
        return [one.result for one in await self._decode_all(pictures, picture_input, deadline)]

    async def predict(
        self,
        served: ServedVersion,
        decoded: Sequence[DecodedPicture | Unreadable],
        deadline: Deadline,
        facts: RequestFacts,
    ) -> list[Recognised | Refusal]:
        """Return the scores of what was decoded, and what was refused, in order.

        Raises:
            InferenceFailed: the model broke on every picture it was given.
            Overloaded, DeadlineExceeded, VersionGone, BackendUnavailable: for the request as a whole.
        """
        pixels = [one.pixels for one in decoded if isinstance(one, DecodedPicture)]
        if not pixels:
            return [one for one in decoded if not isinstance(one, DecodedPicture)]
        answers = await self._batches.predict(served, pixels, deadline, facts)
        facts.add("queue", max(answer.queued_s for answer in answers))
        facts.add("inference", max(answer.ran_s for answer in answers))
        _raise_if_all_failed(answers)
        following = iter(answers)
        return [
            _recognised(one, next(following)) if isinstance(one, DecodedPicture) else one for one in decoded
        ]

    async def _decode_all(
        self, pictures: Sequence[SentPicture], picture_input: PictureInput, deadline: Deadline
    ) -> list[Done[DecodedPicture | Unreadable]]:
        return await self._threads.run(
            [
                partial(_in_time, partial(self._decode, one, picture_input), deadline, "decode")
                for one in pictures
            ]
        )

    def _decode(self, picture: SentPicture, picture_input: PictureInput) -> DecodedPicture | Unreadable:
        if isinstance(picture, MissingPicture):
            return picture.error
        try:
            if isinstance(picture, RawPixels):
                return _checked(picture.pixels, picture_input)
            data = picture.to_bytes() if isinstance(picture, Base64Picture) else picture
            return decode_picture(data, picture_input, self._limits)
        except (PictureRefused, InvalidBase64, InvalidTensor) as refusal:
            return refusal

    def _note(self, outcome: DecodedPicture | Unreadable, facts: RequestFacts) -> None:
        if isinstance(outcome, DecodedPicture):
            self._metrics.pictures.labels(outcome.format, "decoded").inc()
            self._metrics.picture_pixels.observe(outcome.width * outcome.height)
            facts.pictures.append(
                {"format": outcome.format, "width": outcome.width, "height": outcome.height}
            )
        else:
            self._metrics.pictures.labels("unknown", outcome.code).inc()
            facts.pictures.append({"refused": outcome.code})


def _in_time(work: Callable[[], Result], deadline: Deadline, stage: str) -> Result:
    deadline.check(stage)
    return work()


def _recognised(picture: DecodedPicture, answer: PictureAnswer) -> Recognised | InferenceFailed:
    if isinstance(answer.scores, InferenceFailed):
        return answer.scores
    return Recognised(answer.scores, picture.format, picture.width, picture.height, picture.frames)


def _raise_if_all_failed(answers: Sequence[PictureAnswer]) -> None:
    failures = [answer.scores for answer in answers if isinstance(answer.scores, InferenceFailed)]
    if len(failures) == len(answers):
        raise failures[0]


def _checked(pixels: NDArray[np.generic], picture_input: PictureInput) -> DecodedPicture:
    """Return pixels that fit the model.

    TensorFlow Serving dies of a wrong rank, and one wrong shape fails every picture of its batch.
    """
    if pixels.shape != picture_input.shape or pixels.dtype != np.uint8:
        wanted, received = list(picture_input.shape), list(pixels.shape)
        raise InvalidTensor(
            f"A picture's pixels must be uint8 {wanted} [height, width, channels]; received {pixels.dtype} "
            f"{received}."
        )
    height, width, _ = picture_input.shape
    return DecodedPicture(np.ascontiguousarray(pixels, np.uint8), RAW, width, height, 1)
