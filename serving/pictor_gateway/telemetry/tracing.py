"""Which trace a request belongs to, and what is recorded of it."""

from collections.abc import Collection
from importlib.util import find_spec
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope

from pictor_gateway.settings import InvalidSettings, Settings
from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.trace_context import read_trace_context

_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


class RequestTrace(Protocol):
    """One request's trace."""

    def end(self, facts: RequestFacts) -> None:
        """Record how it went. Never blocks."""


class Tracing(Protocol):
    """Follows requests through the gateway. Called from the event loop."""

    def begin(self, scope: Scope, facts: RequestFacts) -> RequestTrace:
        """Note in `facts` which trace the request belongs to."""

    def close(self) -> None:
        """Send what is not yet sent. May take seconds: not for the event loop."""


class HandedOn:
    """Records nothing: the caller's trace context is handed on as it is, and none is made up."""

    def begin(self, scope: Scope, facts: RequestFacts) -> RequestTrace:
        """Note the caller's trace, if there is one."""
        context = read_trace_context(Headers(scope=scope))
        if context is not None:
            facts.trace_id, facts.traceparent = context.trace_id, context.traceparent
        return self

    def end(self, facts: RequestFacts) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def check_tracing(settings: Settings) -> None:
    """Tell early, and once for all worker processes, if traces are wanted and cannot be had.

    Raises:
        InvalidSettings: OpenTelemetry's SDK is not installed.
    """
    if settings.tracing and not all(map(_installed, _NEEDED)):
        raise InvalidSettings(
            "--tracing needs OpenTelemetry, which is not installed: pip install 'pictor[tracing]'"
        )


def tracing_from(settings: Settings, quiet_paths: Collection[str]) -> Tracing:
    """Return what the settings ask for; requests for `quiet_paths` are not recorded.

    Raises:
        InvalidSettings: OpenTelemetry is not installed, or an OTEL_* variable cannot be followed.
    """
    if not settings.tracing:
        return HandedOn()
    check_tracing(settings)
    from pictor_gateway.telemetry.spans import recorder_from_environment  # noqa: PLC0415 - an optional extra

    return recorder_from_environment(quiet_paths)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False
