"""Pictures that stable has answered, shown to the canary as well: nobody waits for it or sees it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract import DecodedPicture, ImageContract
from pictor_contract.decision import decide
from pictor_gateway.entrance.admission import Admission
from pictor_gateway.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    InferenceFailed,
    Overloaded,
    VersionGone,
)
from pictor_gateway.inference.pipeline import Pipeline, Recognised, Refusal, Unreadable
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.encoded import Base64Picture, RawPixels, SentPicture
from pictor_gateway.request.observer import Answered
from pictor_gateway.rollout.rollout import Rollout
from pictor_gateway.rollout.trial import Trial
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.facts import RequestFacts

log = logging.getLogger("pictor.rollout")

_MOST_REQUESTS: Final = 8
_MOST_BYTES: Final = 64 * 2**20
"""Of mirrored requests at once, and of the pictures they hold: what comes beyond is not mirrored."""


@dataclass(frozen=True, slots=True)
class _Mirrored:
    """What stable answered of one request; `decoded` fits the canary, or the pictures are decoded anew."""

    trial: Trial
    pictures: Sequence[SentPicture]
    decoded: Sequence[DecodedPicture] | None
    stable: ImageContract
    scores: Sequence[NDArray[np.float32]]
    request_id: str
    stable_answers: int

    @property
    def held_bytes(self) -> int:
        """Memory that is kept for it."""
        if self.decoded is not None:
            return sum(one.pixels.nbytes for one in self.decoded)
        return sum(map(_size_of, self.pictures))


def shadow_from(
    settings: Settings, rollout: Rollout | None, pipeline: Pipeline, admission: Admission
) -> "Shadow | None":
    """Return the observer that mirrors, if the settings ask for any."""
    if rollout is None or settings.shadow_share == 0:
        return None
    return Shadow(settings.shadow_share, settings.request_timeout_s, rollout, pipeline, admission)


class Shadow:
    """An observer. A few requests at once, none while the gateway or either version is busy."""

    def __init__(
        self, share: float, timeout_s: float, rollout: Rollout, pipeline: Pipeline, admission: Admission
    ) -> None:
        self._share = share
        self._timeout_s = timeout_s
        self._rollout = rollout
        self._pipeline = pipeline
        self._admission = admission
        self._random = Random()  # noqa: S311 - a sample, no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._held_bytes = 0

    async def start(self) -> None:
        """Have nothing to begin."""

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def answered(self, answered: Answered) -> None:
        """Mirror it, if it is chosen and there is room."""
        if self._random.random() >= self._share:
            return
        trial = self._rollout.beside(answered.served)
        if trial is None or self._rollout.tried_canary(answered):
            return
        mirrored = _mirrored(answered, trial)
        if mirrored is None:
            return
        size = mirrored.held_bytes
        if self._is_full(size) or self._is_busy(trial, answered):
            self._rollout.count_mirrored(trial.canary, "skipped", len(mirrored.scores))
            return
        self._held_bytes += size
        task = asyncio.create_task(self._mirror(mirrored, size), name="pictor-shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_full(self, size: int) -> bool:
        return len(self._tasks) >= _MOST_REQUESTS or self._held_bytes + size > _MOST_BYTES

    def _is_busy(self, trial: Trial, answered: Answered) -> bool:
        return self._admission.busy or self._pipeline.is_busy(answered.served, trial.canary)

    async def _mirror(self, mirrored: _Mirrored, size: int) -> None:
        trial, pictures = mirrored.trial, len(mirrored.scores)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._compare(mirrored)
        except InferenceFailed:
            self._blame(trial, pictures)
        except (BackendUnavailable, DeadlineExceeded, TimeoutError):
            # Its own fault only if stable was able to answer meanwhile.
            if trial.stable_answers > mirrored.stable_answers:
                self._blame(trial, pictures)
            else:
                self._rollout.count_mirrored(trial.canary, "skipped", pictures)
        except (VersionGone, Overloaded):
            self._rollout.count_mirrored(trial.canary, "skipped", pictures)
        except Exception:  # the task's own door: nobody waits for it
            log.exception("mirroring failed", extra={"fields": {"request_id": mirrored.request_id}})
        finally:
            self._held_bytes -= size

    async def _compare(self, mirrored: _Mirrored) -> None:
        canary, deadline = mirrored.trial.canary, Deadline.after(self._timeout_s)
        decoded: Sequence[DecodedPicture | Unreadable] = (
            await self._pipeline.decode_unseen(mirrored.pictures, canary.contract.input, deadline)
            if mirrored.decoded is None
            else mirrored.decoded
        )
        began = perf_counter()
        outcomes = await self._pipeline.predict(canary, decoded, deadline, RequestFacts(mirrored.request_id))
        self._rollout.count(canary, outcomes, perf_counter() - began)
        self._judge(mirrored, outcomes)

    def _judge(self, mirrored: _Mirrored, outcomes: Sequence[Recognised | Refusal]) -> None:
        """Take in what it answered, but not how long that took: the next user's request ran beside it."""
        trial = mirrored.trial
        alike = [
            decided(trial.canary.contract, outcome.scores) == decided(mirrored.stable, scores)
            for outcome, scores in zip(outcomes, mirrored.scores, strict=True)
            if isinstance(outcome, Recognised)
        ]
        failed = sum(isinstance(outcome, InferenceFailed) for outcome in outcomes)
        agreed, other = sum(alike), len(alike) - sum(alike)
        results = {"agree": agreed, "disagree": other, "failed": failed}
        for result, pictures in {**results, "skipped": len(outcomes) - len(alike) - failed}.items():
            self._rollout.count_mirrored(trial.canary, result, pictures)
        trial.note_pictures(len(alike), failed)
        trial.note_mirrored(agreed, other)

    def _blame(self, trial: Trial, pictures: int) -> None:
        self._rollout.count_failed(trial.canary, pictures)
        self._rollout.count_mirrored(trial.canary, "failed", pictures)
        trial.note_pictures(0, pictures)


def decided(contract: ImageContract, scores: NDArray[np.float32]) -> frozenset[str]:
    """Return the names of what counts as present: versions may have other labels, or another order."""
    (present,) = decide(scores[np.newaxis], contract.head, contract.thresholds)
    return frozenset(contract.labels[index] for index in np.flatnonzero(present))


def _mirrored(answered: Answered, trial: Trial) -> _Mirrored | None:
    """Return what stable recognised; None without any, or if it cannot be shown to the canary."""
    ours, theirs = answered.served.contract, trial.canary.contract
    ways = zip(answered.pictures, answered.decoded, answered.outcomes, strict=True)
    found = [
        (sent, decoded, outcome.scores)
        for sent, decoded, outcome in ways
        if isinstance(outcome, Recognised) and isinstance(decoded, DecodedPicture)
    ]
    sent = [one for one, _, _ in found]
    fits = ours.input.shape == theirs.input.shape or not any(isinstance(one, RawPixels) for one in sent)
    if not found or not fits:
        return None
    return _Mirrored(
        trial,
        sent,
        [decoded for _, decoded, _ in found] if ours.input == theirs.input else None,
        ours,
        [scores for _, _, scores in found],
        answered.request_id,
        trial.stable_answers,
    )


def _size_of(picture: SentPicture) -> int:
    match picture:
        case RawPixels(pixels):
            return pixels.nbytes
        case Base64Picture(text):
            return len(text)
        case bytes():
            return len(picture)
    return 0
