"""The one response an error is sent as."""

import asyncio
from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from pictor_gateway.facts import RequestFacts
from pictor_gateway.problems import MEDIA_TYPE, Problem

LINGER_S = 2.0
"""Seconds for which the rest of a refused body is still read and thrown away."""


class ProblemResponse(JSONResponse):
    """A problem as `application/problem+json`.

    Where the client may still be sending, the answer is not ended at once: the connection may be closed with
    its end, and a close with unread bytes makes the kernel reset the connection, so that the client would
    lose the answer that says why.
    """

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, facts: RequestFacts) -> None:
        super().__init__(
            problem.body(facts.request_id), status_code=problem.status, headers=dict(problem.headers)
        )
        if problem.cuts_body:
            self.headers["Connection"] = "close"
        self._body_read = facts.body_read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the problem."""
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
