"""Ask a canary first, in time for stable to answer where it fails."""

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from pictor_gateway.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    InferenceFailed,
    Overloaded,
    VersionGone,
)
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.question import Question
from pictor_gateway.rollout.rollout import Rollout
from pictor_gateway.rollout.trial import Trial

log = logging.getLogger("pictor.rollout")

_SHARE_OF_TIME: Final = 0.5
"""Of what is left of the request's: the rest is stable's, should the canary hang."""


def has_time(outlook: Outlook, deadline: Deadline) -> bool:
    """Whether a canary with this outlook would answer within its share of the time."""
    return outlook.wait_s == 0 or outlook.wait_s + outlook.work_s <= _SHARE_OF_TIME * deadline.left_s()


class Attempt:
    """What the canary made of a request. Where it failed, stable says whether that was the pictures' fault.

    A picture that neither could answer, or servers that are all gone, say nothing against the canary.
    """

    def __init__(self, rollout: Rollout, trial: Trial, question: Question) -> None:
        self.canary = trial.canary
        self.outcomes: list[Recognised | Refusal] | None = None
        """The answer; None where stable has to give it."""
        self._rollout = rollout
        self._trial = trial
        self._question = question
        self._answered: Sequence[bool] = ()

    async def make(self) -> None:
        """Ask the canary.

        Raises:
            DeadlineExceeded: time ran out before the pictures were decoded.
        """
        question = self._question
        await question.prepare(self.canary)
        share_s = _SHARE_OF_TIME * question.deadline.left_s()
        began = perf_counter()
        try:
            async with asyncio.timeout(share_s):
                outcomes = await question.ask(self.canary, Deadline.after(share_s))
        except VersionGone as error:  # its label is being moved: no fault of its own
            self._fail(error, ())
        except (
            InferenceFailed,
            BackendUnavailable,
            Overloaded,
            DeadlineExceeded,
            TimeoutError,
        ) as error:
            self._rollout.count_failed(self.canary, question.readable)
            self._fail(error, (False,) * len(question.pictures))
        else:
            self._judge(outcomes, perf_counter() - began)

    def note_stable(self, outcomes: Sequence[Recognised | Refusal]) -> None:
        """Take in what stable made of the same pictures."""
        self._rollout.count_rescue(self.canary)
        judged = [
            answered
            for answered, outcome in zip(self._answered, outcomes, strict=False)
            if isinstance(outcome, Recognised)
        ]
        self._trial.note_pictures(sum(judged), len(judged) - sum(judged))

    def _judge(self, outcomes: list[Recognised | Refusal], seconds: float) -> None:
        self._rollout.count(self.canary, outcomes, seconds)
        failure = next((one for one in outcomes if isinstance(one, InferenceFailed)), None)
        if failure is not None:
            self._fail(failure, [isinstance(one, Recognised) for one in outcomes])
            return
        self.outcomes = outcomes
        answered = sum(isinstance(one, Recognised) for one in outcomes)
        if answered:
            self._trial.note_pictures(answered, 0)
            self._trial.note_duration(seconds)

    def _fail(self, error: Exception, answered: Sequence[bool]) -> None:
        self._answered = answered
        fields = {
            "model": self.canary.name,
            "version": self.canary.version,
            "reason": str(error) or "It took too long.",
            "request_id": self._question.facts.request_id,
        }
        log.warning("canary failed, stable is asked", extra={"fields": fields})
