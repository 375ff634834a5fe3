"""One request's way through the gateway, the same for every dialect: place, body, deadline, answer."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import BackendUnavailable, DeadlineExceeded, InferenceFailed, VersionGone
from pictor_gateway.gateway import Gateway, gateway_of
from pictor_gateway.inference.catalogue import Wanted
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.request.body import read_body
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.disconnect import while_connected
from pictor_gateway.request.encoded import SentPicture, check_number
from pictor_gateway.request.observer import Answered
from pictor_gateway.request.question import Question
from pictor_gateway.request.time_limit import TimeLimit, budget_of, time_limit
from pictor_gateway.rollout.attempt import Attempt, has_time
from pictor_gateway.telemetry.facts import RequestFacts, facts_of

Result = TypeVar("Result")

_MOST_LOOKS = 3
"""How often a request whose version vanished under it looks for the one that took its place."""


@dataclass(slots=True)
class Visit:
    """A request that was admitted, with its whole body."""

    gateway: Gateway
    facts: RequestFacts
    wanted: Wanted
    body: bytes
    limit: TimeLimit
    headers: Headers
    prediction_ids: Sequence[str] = ()
    """One for each picture that was recognised, "" for the others; none at all where nobody wants them."""

    @property
    def deadline(self) -> Deadline:
        """The moment by which the answer must be ready."""
        return self.limit.deadline

    def bring_forward(self, seconds: float) -> None:
        """Let the time run out `seconds` after the request's arrival, unless it runs out earlier already."""
        self.limit.end_after_arrival(seconds)

    async def off_loop(self, work: Callable[[], Result]) -> Result:
        """Run `work`, which may take long, in a decoding thread."""
        return await self.gateway.pipeline.off_loop(work, self.deadline, self.facts.stage)

    async def recognise(
        self, pictures: Sequence[SentPicture], *, by_position: bool = False
    ) -> tuple[ServedVersion, list[Recognised | Refusal]]:
        """Return each picture's scores or refusal, in order, and the version that gave them.

        A request that names no version follows the model while it changes, and a canary may answer it.
        `by_position`: the client is told no labels, only scores in the order that it knows.
        """
        check_number(len(pictures), self.gateway.settings.max_pictures_per_request)
        pipeline = self.gateway.pipeline
        served = self.facts.served = self.gateway.catalogue.find(self.wanted)
        self.gateway.admission.check(pipeline.outlook(served, len(pictures)), self.deadline.left_s())
        question = Question(pictures, pipeline, self.facts, self.deadline)
        attempt = self._attempt(served, question, by_position)
        if attempt is not None:
            await attempt.make()
        if attempt is None or attempt.outcomes is None:
            served, outcomes = await self._ask(question, served)
            if attempt is not None:
                attempt.note_stable(outcomes)
        else:
            served, outcomes = attempt.canary, attempt.outcomes
        self._count(served, outcomes)
        if self.gateway.predictions is not None:
            self.prediction_ids = self.gateway.predictions.issue(served, outcomes)
        if self.gateway.observers:
            self._tell(served, question, outcomes)
        return served, outcomes

    def _attempt(self, served: ServedVersion, question: Question, by_position: bool) -> Attempt | None:
        """Return the canary's, if it is its turn: it has time for one, and its answer can be read."""
        rollout = self.gateway.rollout
        if rollout is None or not self._free:  # who names a version gets it
            return None
        trial = rollout.beside(served)
        if trial is None or not rollout.chooses_canary(served.name, self.headers, self.facts.request_id):
            return None
        if not question.fits(served, trial.canary, by_position=by_position):
            return None
        outlook = self.gateway.pipeline.outlook(trial.canary, len(question.pictures))
        if not has_time(outlook, question.deadline):
            return None
        return Attempt(rollout, trial, question)

    async def _ask(
        self, question: Question, served: ServedVersion
    ) -> tuple[ServedVersion, list[Recognised | Refusal]]:
        """Ask `served`, which is meant, or the version that took its place."""
        for look in range(_MOST_LOOKS):
            try:
                return served, await self._answer(question, served)
            except (VersionGone, BackendUnavailable):
                following = await self._next_after(served) if look < _MOST_LOOKS - 1 else None
                if following is None:
                    raise
            self.gateway.metrics.retries.labels("version").inc()
            served = following
        raise AssertionError("the last look returns or raises")

    async def _answer(self, question: Question, served: ServedVersion) -> list[Recognised | Refusal]:
        await question.prepare(served)
        rollout = self.gateway.rollout
        if rollout is None:
            return await question.ask(served, self.deadline)
        began = perf_counter()
        try:
            outcomes = await question.ask(served, self.deadline)
        except (InferenceFailed, BackendUnavailable, DeadlineExceeded):
            rollout.count_failed(served, question.readable)
            raise
        rollout.note_answer(served, outcomes, perf_counter() - began)
        return outcomes

    @property
    def _free(self) -> bool:
        """Whether the request leaves the choice of the version to us."""
        return self.wanted.version is None and self.wanted.label is None

    def _tell(
        self, served: ServedVersion, question: Question, outcomes: Sequence[Recognised | Refusal]
    ) -> None:
        answered = Answered(
            served,
            question.pictures,
            question.decoded,
            outcomes,
            self.headers,
            self.facts.request_id,
            self._free,
            self.facts.key,
            self.prediction_ids,
        )
        for observer in self.gateway.observers:
            observer.answered(answered)

    async def _next_after(self, gone: ServedVersion) -> ServedVersion | None:
        """Return the version that is meant now, if it is another one."""
        await self.gateway.backend.refresh(gone.name)
        following = self.gateway.catalogue.find(self.wanted)
        return None if following is gone else following

    def _count(self, served: ServedVersion, outcomes: Sequence[Recognised | Refusal]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Recognised):
                best = int(outcome.scores.argmax())
                self.gateway.metrics.count_prediction(served, best, float(outcome.scores[best]))


@asynccontextmanager
async def admitted(request: Request, wanted: Wanted, *, compressible: bool = False) -> AsyncIterator[Visit]:
    """Hold a place of work while the block runs, once the version is known and the whole body is here.

    A `compressible` body may have a Content-Encoding; the visit has it without.

    Raises:
        InvalidParameter: the header with the time limit is no number.
        Overloaded: no place is free, or the answer would come too late.
        ModelNotFound, ModelNotReady, VersionNotFound, LabelNotFound: before the body is read.
        BodyTooLarge, BodyTimeout, UnsupportedMediaType, MalformedRequest: the body cannot be had.
        DeadlineExceeded, ClientGone: at any time.
    """
    gateway, facts = gateway_of(request), facts_of(request)
    settings = gateway.settings
    budget_s = budget_of(request.headers, settings.max_request_timeout_s)
    async with time_limit(facts) as limit:
        if budget_s is not None:
            limit.end_after_arrival(budget_s)
        with gateway.admission.receiving() as take:
            served = facts.served = await gateway.catalogue.find_asking(wanted)
            left_s = settings.request_timeout_s if budget_s is None else limit.deadline.left_s()
            gateway.admission.check(gateway.pipeline.outlook(served, pictures=1), left_s)
            body = await read_body(
                request,
                settings.max_body_bytes,
                settings.receive_timeout_s,
                compressible=compressible,
                take=take,
            )
        with gateway.admission.slot():
            gateway.metrics.body_bytes.observe(len(body))
            if budget_s is None:
                limit.end_in(settings.request_timeout_s)
            async with while_connected(request.receive):
                yield Visit(gateway, facts, wanted, body, limit, request.headers)
