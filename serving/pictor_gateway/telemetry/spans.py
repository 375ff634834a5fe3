"""OpenTelemetry spans, one for each request and each of its stages. Imported only when traces are wanted."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from threading import Thread
from time import perf_counter, time_ns

from opentelemetry.context import Context
from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from starlette.datastructures import Headers
from starlette.types import Scope

from pictor_gateway.settings import InvalidSettings
from pictor_gateway.telemetry.facts import UNKNOWN, RequestFacts, StageNote
from pictor_gateway.telemetry.trace_context import TraceContext, read_trace_context
from pictor_gateway.telemetry.tracing import HandedOn, RequestTrace

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_SERVER_FAULT = 500
_LAST_SPANS_S = 5.0
"""Seconds that the end of the process waits for the collector, which may be gone already."""

_PROTOCOL = "http/protobuf"
_SERVICE, _METHOD = "tensorflow.serving.PredictionService", "Predict"
_PREDICT = f"{_SERVICE}/{_METHOD}"
_RPC: Mapping[str, str | int] = {
    "rpc.system": "grpc",
    "rpc.service": _SERVICE,
    "rpc.method": _METHOD,
    "rpc.grpc.status_code": 0,
}
_NOT_RPC: Mapping[str, str | int] = {}


def recorder_from_environment(quiet_paths: Collection[str]) -> "Recorder":
    """Return a recorder that sends where, and samples how, the OTEL_* variables say.

    Raises:
        InvalidSettings: they ask for an exporter or a protocol that is not here.
    """
    exporter = _exporter_from_environment()
    return Recorder(None if exporter is None else BatchSpanProcessor(exporter), quiet_paths)


class Recorder:
    """Makes a span of each request; `processor` takes them when they have ended."""

    def __init__(self, processor: SpanProcessor | None, quiet_paths: Collection[str]) -> None:
        ours = {"service.name": "pictor", "service.version": version("pictor")}
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())  # the environment's word wins
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if processor is not None:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pictor_gateway", version("pictor"))
        self._quiet_paths = frozenset(quiet_paths)

    def begin(self, scope: Scope, facts: RequestFacts) -> RequestTrace:
        """Start the request's span, as a child of the caller's if it sent one."""
        if scope["path"] in self._quiet_paths:
            return HandedOn()
        parent = read_trace_context(Headers(scope=scope))
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        name = "HTTP" if method == "_OTHER" else method
        zero_ns = time_ns() - round(facts.elapsed_s() * 1e9)
        span = self._tracer.start_span(
            name,
            context=None if parent is None else _remote(parent),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "pictor.request_id": facts.request_id,
            },
            start_time=zero_ns,
        )
        context = span.get_span_context()
        if context.is_valid:
            flags = f"{context.trace_flags & TraceFlags.SAMPLED:02x}"
            facts.trace_id = f"{context.trace_id:032x}"
            facts.traceparent = f"00-{facts.trace_id}-{context.span_id:016x}-{flags}"
        return _RequestSpan(self._tracer, span, name, zero_ns, facts.started)

    def close(self) -> None:
        """Send the last spans, as long as somebody takes them soon."""
        sending = Thread(target=self._provider.shutdown, name="pictor-last-spans", daemon=True)
        sending.start()
        sending.join(_LAST_SPANS_S)


@dataclass(frozen=True, slots=True)
class _RequestSpan:
    """`zero_ns` on the wall clock is `zero` on `perf_counter`'s, in which stages are measured."""

    tracer: Tracer
    span: Span
    name: str
    zero_ns: int
    zero: float

    def end(self, facts: RequestFacts) -> None:
        """Record the stages and how the request ended."""
        span = self.span
        if span.is_recording():
            if facts.route != UNKNOWN:
                span.set_attribute("http.route", facts.route)
                span.update_name(f"{self.name} {facts.route}")
            span.set_attributes(_attributes(facts))
            if facts.status >= _SERVER_FAULT:
                span.set_status(StatusCode.ERROR)
            self._record_stages(facts)
        span.end(self._wall_ns(perf_counter()))

    def _record_stages(self, facts: RequestFacts) -> None:
        inside = set_span_in_context(self.span, Context())
        for note, began, ended in _placed(facts.stages):
            calls = note.stage == "inference" and facts.backend == "tensorflow_serving"
            stage = self.tracer.start_span(
                _PREDICT if calls else note.stage,
                context=inside,
                kind=SpanKind.CLIENT if calls else SpanKind.INTERNAL,
                attributes={"pictor.stage": note.stage, **(_RPC if calls else _NOT_RPC)},
                start_time=self._wall_ns(began),
            )
            stage.end(self._wall_ns(ended))

    def _wall_ns(self, moment: float) -> int:
        return self.zero_ns + round((moment - self.zero) * 1e9)


def _placed(notes: Sequence[StageNote]) -> Iterator[tuple[StageNote, float, float]]:
    """Return each stage with its begin and end; of those noted together, one ends where the next begins."""
    limit = float("inf")
    placed = []
    for note in reversed(notes):
        ended = min(note.noted, limit)
        limit = ended - note.seconds
        placed.append((note, limit, ended))
    return reversed(placed)


def _attributes(facts: RequestFacts) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {"pictor.dialect": facts.dialect, "pictor.outcome": facts.outcome}
    if facts.status:
        attributes["http.response.status_code"] = facts.status
    if facts.served is not None:
        attributes["pictor.model.name"] = facts.model
        attributes["pictor.model.version"] = facts.version
        attributes["pictor.backend"] = facts.backend
    if facts.code:
        attributes["error.type"] = facts.code
    return attributes


def _remote(parent: TraceContext) -> Context:
    context = SpanContext(
        int(parent.trace_id, 16),
        int(parent.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState(parent.state),
    )
    return set_span_in_context(NonRecordingSpan(context), Context())


def _exporter_from_environment() -> SpanExporter | None:
    wanted = os.environ.get(OTEL_TRACES_EXPORTER, "otlp").strip().lower()
    if wanted == "none":
        return None
    if wanted == "console":
        return ConsoleSpanExporter()
    if wanted != "otlp":
        raise InvalidSettings(f"{OTEL_TRACES_EXPORTER} is {wanted!r}; otlp, console and none are there.")
    general = os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL, _PROTOCOL)
    protocol = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, general).strip().lower()
    if protocol != _PROTOCOL:
        raise InvalidSettings(f"{OTEL_EXPORTER_OTLP_PROTOCOL} is {protocol!r}; only {_PROTOCOL} is there.")
    return OTLPSpanExporter()
