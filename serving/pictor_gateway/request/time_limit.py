"""A request's time limit: what the client asks for, and the timer that keeps to it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers

from pictor_gateway.errors import DeadlineExceeded, InvalidParameter
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.facts import RequestFacts

HEADER = "X-Request-Timeout-Ms"
"""How a client says in HTTP how long it will wait, counted from the request's arrival."""

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class TimeLimit:
    """Ends the block of `time_limit` at a moment that may be brought forward, never put off."""

    def __init__(self, timer: asyncio.Timeout, facts: RequestFacts) -> None:
        self._timer = timer
        self._facts = facts
        self._deadline: Deadline | None = None

    @property
    def deadline(self) -> Deadline:
        """The moment; it is set before anything asks for it."""
        if self._deadline is None:
            raise RuntimeError("no deadline was set")
        return self._deadline

    def end_in(self, seconds: float) -> None:
        """End the block `seconds` from now, unless it ends earlier already."""
        deadline = Deadline.after(seconds)
        if self._deadline is None or deadline.at < self._deadline.at:
            self._deadline = deadline
            self._timer.reschedule(asyncio.get_running_loop().time() + seconds)

    def end_after_arrival(self, seconds: float) -> None:
        """End the block `seconds` after the request's arrival, unless it ends earlier already."""
        self.end_in(seconds - self._facts.elapsed_s())


@asynccontextmanager
async def time_limit(facts: RequestFacts) -> AsyncIterator[TimeLimit]:
    """Run the block until the moment it is told, if any.

    Raises:
        DeadlineExceeded: the moment came first; it names the stage at which the request was. Where the body
            is not complete, the rest of it is not waited for.
    """
    timer = asyncio.timeout(None)
    try:
        async with timer:
            yield TimeLimit(timer, facts)
    except TimeoutError as error:
        if not timer.expired():
            raise
        exceeded = DeadlineExceeded(facts.stage)
        exceeded.cuts_body = not facts.body_read
        raise exceeded from error


def budget_of(headers: Headers, most_s: float) -> float | None:
    """Return the seconds that the client's header gives the request, at most `most_s`; None without it.

    Raises:
        InvalidParameter: the header is no positive number.
    """
    text = headers.get(HEADER)
    if text is None:
        return None
    milliseconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if milliseconds <= 0:
        raise InvalidParameter(
            f"{HEADER} must be a positive number of milliseconds, such as 250; received {text[:50]!r}."
        )
    return min(milliseconds / 1000, most_s)
