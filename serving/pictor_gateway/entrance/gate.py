"""The first thing a request meets behind the door: what cannot be admitted anyway is turned away cheaply."""

from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from pictor_gateway.errors import InvalidParameter, Overloaded, Unauthorized
from pictor_gateway.gateway import Gateway
from pictor_gateway.request.time_limit import budget_of
from pictor_gateway.telemetry.facts import RequestFacts

_ENDS = ("/classify", ":classify", ":predict", "/infer")
"""How the addresses end to which pictures are brought, in every dialect."""


class GuardedRoute(Protocol):
    """An address as the table of routes has it."""

    @property
    def path(self) -> str:
        """Its template."""


class Gate:
    """ASGI middleware for the requests that bring pictures.

    `admitted` asks the same questions later, knowing more. But a saturated gateway does little else than
    refuse, and here a refusal costs half as much as behind routing and the reading of parameters.
    """

    def __init__(
        self,
        app: ASGIApp,
        gateway: Gateway,
        routes: Iterable[GuardedRoute],
        respond: Callable[[Scope, RequestFacts, Exception], Response],
    ) -> None:
        self._app = app
        self._gateway = gateway
        self._routes = [(compile_path(route.path)[0], route) for route in routes]
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through, or refuse it."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(_ENDS):
            route = self._route_of(scope["path"])
            facts: RequestFacts = scope["state"]["facts"]
            try:
                if route is not None:
                    self._check(Headers(scope=scope), facts)
            except (Unauthorized, Overloaded) as error:
                scope["route"] = route  # lets the answer, the log and the metrics know the dialect
                await self._respond(scope, facts, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _route_of(self, path: str) -> GuardedRoute | None:
        return next((route for pattern, route in self._routes if pattern.match(path)), None)

    def _check(self, headers: Headers, facts: RequestFacts) -> None:
        gateway = self._gateway
        if gateway.access is not None:  # a stranger learns nothing, not even how busy it is
            facts.key = gateway.access.client_of(headers).name
        gateway.admission.check_place()
        served = gateway.catalogue.only
        if served is None:  # which version is meant takes a closer look
            return
        try:
            budget_s = budget_of(headers, gateway.settings.max_request_timeout_s)
        except InvalidParameter:  # to be told with the other parameters
            return
        left_s = gateway.settings.request_timeout_s if budget_s is None else budget_s - facts.elapsed_s()
        try:
            gateway.admission.check(gateway.pipeline.outlook(served, pictures=1), left_s)
        except Overloaded:
            facts.served = served
            raise
