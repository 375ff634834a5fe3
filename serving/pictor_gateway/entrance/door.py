"""The outermost layer: every request gets an id, every answer its headers, its log line and its numbers."""

import logging
from collections.abc import Callable
from random import getrandbits

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pictor_gateway.errors import GatewayError
from pictor_gateway.process.lifecycle import Lifecycle
from pictor_gateway.telemetry.facts import UNKNOWN, RequestFacts, keep_facts
from pictor_gateway.telemetry.logs import log_request
from pictor_gateway.telemetry.metrics import Metrics
from pictor_gateway.telemetry.tracing import Tracing

log = logging.getLogger("pictor.gateway")

_MAX_ID_LENGTH = 128


class Door:
    """ASGI middleware. Nothing unexpected leaves through it but a 500 with the request's id."""

    def __init__(
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        metrics: Metrics,
        tracing: Tracing,
        dialect_of: Callable[[Scope], str],
        respond: Callable[[Scope, RequestFacts, Exception], Response],
    ) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._dialect_of = dialect_of
        self._respond = respond
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        facts = RequestFacts(_request_id(Headers(scope=scope)))
        keep_facts(scope, facts)
        trace = self._tracing.begin(scope, facts)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts.status, facts.answered_s = message["status"], facts.elapsed_s()
                self._mark(MutableHeaders(scope=message), facts)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:
            ids = {"request_id": facts.request_id, "trace_id": facts.trace_id}
            log.exception("unexpected error", extra={"fields": ids})
            if facts.status:  # the answer has begun: all that is left is to break the connection
                facts.code = GatewayError.code
                raise
            await self._respond(scope, facts, error)(scope, receive, send_marked)
        finally:
            facts.route = getattr(scope.get("route"), "path", UNKNOWN)  # the template, never the raw path
            facts.dialect = self._dialect_of(scope)
            self._count(facts)
            log_request(scope["method"], facts)
            trace.end(facts)

    def _mark(self, headers: MutableHeaders, facts: RequestFacts) -> None:
        headers["X-Request-ID"] = facts.request_id
        headers.update(facts.headers)
        if facts.served is not None:
            headers["X-Model-Name"] = facts.model
            headers["X-Model-Version"] = facts.version
            headers["X-Model-Backend"] = facts.backend
            timings = facts.timings_ms().items()
            headers["Server-Timing"] = ", ".join(f"{stage};dur={spent}" for stage, spent in timings)
        if self._lifecycle.draining:
            headers["Connection"] = "close"  # the client's next request shall find another server

    def _count(self, facts: RequestFacts) -> None:
        self._metrics.requests.labels(facts.dialect, facts.model, facts.version, facts.outcome).inc()
        self._metrics.request_duration.labels(facts.dialect, facts.model).observe(facts.elapsed_s())
        for stage, seconds in facts.stages_s.items():
            self._metrics.stage_duration.labels(stage).observe(seconds)


def _request_id(headers: Headers) -> str:
    """Return the client's own id if it is sane, for it goes into headers and logs; otherwise a new one."""
    given = headers.get("x-request-id", "")
    if 0 < len(given) <= _MAX_ID_LENGTH and all("!" <= letter <= "~" for letter in given):
        return given
    return f"{getrandbits(128):032x}"  # no secret; uuid4 would ask the system and give the GIL away
