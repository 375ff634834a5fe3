"""One request's way through the gateway, the same for every dialect: place, body, deadline, answer."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from pictor_contract import DecodedPicture, PictureInput
from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.errors import BackendUnavailable, VersionGone
from pictor_gateway.gateway import Gateway, gateway_of
from pictor_gateway.inference.catalogue import Wanted
from pictor_gateway.inference.pipeline import Recognised, Refusal, Unreadable
from pictor_gateway.request.body import read_body
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.request.disconnect import while_connected
from pictor_gateway.request.encoded import SentPicture, check_number
from pictor_gateway.request.time_limit import TimeLimit, budget_of, time_limit
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
        self, pictures: Sequence[SentPicture]
    ) -> tuple[ServedVersion, list[Recognised | Refusal]]:
        """Return each picture's scores or refusal, in order, and the version that gave them.

        A request that names no version follows the model while it changes.
        """
        check_number(len(pictures), self.gateway.settings.max_pictures_per_request)
        pipeline = self.gateway.pipeline
        served = self.facts.served = self.gateway.catalogue.find(self.wanted)
        self.gateway.admission.check(pipeline.outlook(served, len(pictures)), self.deadline.left_s())
        decoded = await self._decode(pictures, served.contract.input)
        for _ in range(_MOST_LOOKS - 1):
            try:
                return served, await self._predict(served, decoded)
            except (VersionGone, BackendUnavailable):
                following = await self._next_after(served)
                if following is None:
                    raise
            self.gateway.metrics.retries.labels("version").inc()
            if following.contract.input != served.contract.input:
                decoded = await self._decode(pictures, following.contract.input)
            served = self.facts.served = following
        return served, await self._predict(served, decoded)

    async def _next_after(self, gone: ServedVersion) -> ServedVersion | None:
        """Return the version that is meant now, if it is another one."""
        await self.gateway.backend.refresh(gone.name)
        following = self.gateway.catalogue.find(self.wanted)
        return None if following is gone else following

    async def _decode(
        self, pictures: Sequence[SentPicture], picture_input: PictureInput
    ) -> list[DecodedPicture | Unreadable]:
        self.facts.pictures.clear()
        return await self.gateway.pipeline.decode(pictures, picture_input, self.deadline, self.facts)

    async def _predict(
        self, served: ServedVersion, decoded: Sequence[DecodedPicture | Unreadable]
    ) -> list[Recognised | Refusal]:
        outcomes = await self.gateway.pipeline.predict(served, decoded, self.deadline, self.facts)
        for outcome in outcomes:
            if isinstance(outcome, Recognised):
                best = int(outcome.scores.argmax())
                self.gateway.metrics.count_prediction(served, best, float(outcome.scores[best]))
        return outcomes


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
                yield Visit(gateway, facts, wanted, body, limit)
