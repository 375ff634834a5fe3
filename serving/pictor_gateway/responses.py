"""The one response an error is sent as, whatever its form."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from pictor_gateway.problems import MEDIA_TYPE, Problem
from pictor_gateway.telemetry.facts import RequestFacts

LINGER_S = 2.0
"""Seconds for which the rest of a refused body is still read and thrown away."""


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How a dialect writes an error: its JSON, its media type, and its status where that is not ours."""

    body: Callable[[Problem, RequestFacts], Any]
    media_type: str = "application/json"
    status: Callable[[Problem], int] = attrgetter("status")


PROBLEM_FORM = ErrorForm(lambda problem, facts: problem.body(facts.request_id), MEDIA_TYPE)
"""RFC 9457, on every address that belongs to no other dialect."""


class ErrorResponse(JSONResponse):
    """A problem in a dialect's form.

    Where the client may still be sending, the answer is not ended at once: the connection may be closed with
    its end, and a close with unread bytes makes the kernel reset the connection, so that the client would
    lose the answer that says why.
    """

    def __init__(self, problem: Problem, facts: RequestFacts, form: ErrorForm) -> None:
        super().__init__(
            form.body(problem, facts),
            status_code=form.status(problem),
            headers=dict(problem.headers),
            media_type=form.media_type,
        )
        if problem.cuts_body:
            self.headers["Connection"] = "close"
        self._body_read = facts.body_read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the error."""
        if self._body_read:
            await super().__call__(scope, receive, send)
            return
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await _throw_away(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _throw_away(receive: Receive) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body", False):
                pass
