"""Traces: whose a request is, what is recorded of it, and where that goes."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from pictor_gateway import app, routes
from pictor_gateway.settings import InvalidSettings, Settings
from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.spans import Recorder
from pictor_gateway.telemetry.tracing import HandedOn, tracing_from

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the shell says about traces counts here."""
    for name in ("TRACES_EXPORTER", "SERVICE_NAME", "RESOURCE_ATTRIBUTES", "SDK_DISABLED", "TRACES_SAMPLER"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


def test_without_tracing_the_context_is_handed_on_as_it_is() -> None:
    """No span is recorded, so none is made up; a request without a trace has none."""
    scope = {"type": "http", "path": "/", "headers": [(b"traceparent", TRACEPARENT.encode())]}
    facts, without = RequestFacts("id"), RequestFacts("id")
    HandedOn().begin(scope, facts)
    HandedOn().begin({**scope, "headers": []}, without)
    assert (TRACE, TRACEPARENT) == (facts.trace_id, facts.traceparent)
    assert ("", "") == (without.trace_id, without.traceparent)


def test_without_tracing_the_sdk_is_not_imported() -> None:
    """It would take memory and time at the start. FastAPI loads the small API of it by itself."""
    code = (
        "import sys, pictor_gateway.process.server;"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exp'))])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == told.stdout.strip()


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter"])
def test_a_missing_extra_is_told_by_name(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """With the command that installs it."""

    def find(name: str) -> object:
        if name.startswith(missing):
            raise ModuleNotFoundError(name=missing)
        return object()

    monkeypatch.setattr("pictor_gateway.telemetry.tracing.find_spec", find)
    with pytest.raises(InvalidSettings, match=r"pip install 'pictor\[tracing\]'"):
        tracing_from(Settings.load({"tracing": True}, {}), ())


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "jaeger"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_an_exporter_that_is_not_here_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Otherwise the traces would silently go nowhere."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=value):
        tracing_from(Settings.load({"tracing": True}, {}), ())


class Recording:
    """A gateway whose spans stay in memory."""

    def __init__(self, gateway: Any, exporter: InMemorySpanExporter, eventually: Eventually) -> None:
        self.http: httpx.Client = gateway.http
        self._exporter = exporter
        self._eventually = eventually

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans by name, once the request's own has ended; it is the last."""
        self._eventually(lambda: any(span.kind is SpanKind.SERVER for span in self._finished()))
        return {span.name: span for span in self._finished()}

    def _finished(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


@pytest.fixture(name="recording")
def _recording(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> Recording:
    exporter = InMemorySpanExporter()

    def recorder(*_: object) -> Recorder:
        return Recorder(SimpleSpanProcessor(exporter), routes.PROBE_PATHS)

    monkeypatch.setattr(app, "tracing_from", recorder)
    return Recording(make_gateway(), exporter, eventually)


def test_a_request_is_a_span_with_its_stages_inside(recording: Recording, picture: MakePicture) -> None:
    """Child of the caller's span, named by method and route, without the query."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "a=1", "X-Request-ID": "mine"}
    recording.http.post("/v1/classify?top_k=2", content=picture(), headers=headers).raise_for_status()
    spans = recording.spans()
    request = spans.pop("POST /v1/classify")
    assert request.parent is not None
    assert (int(TRACE, 16), int(PARENT, 16)) == (request.parent.trace_id, request.parent.span_id)
    assert "1" == request.context.trace_state.get("a")
    expected = {
        "http.request.method": "POST",
        "http.route": "/v1/classify",
        "http.response.status_code": 200,
        "url.path": "/v1/classify",
        "url.scheme": "http",
        "pictor.request_id": "mine",
        "pictor.dialect": "pictor",
        "pictor.outcome": "ok",
        "pictor.model.name": "colours",
        "pictor.model.version": "1",
        "pictor.backend": "embedded",
    }
    assert expected == dict(request.attributes or {})
    assert StatusCode.UNSET is request.status.status_code
    assert {"read", "decode", "queue", "inference"} == set(spans)
    for stage in spans.values():
        assert stage.parent == request.context
        assert request.start_time <= stage.start_time <= stage.end_time <= request.end_time


def test_the_clients_mistake_is_no_error_of_ours(recording: Recording) -> None:
    """Its code is told all the same; a path that no route has is no part of the name."""
    recording.http.get("/no/such/address?secret=1")
    span = recording.spans()["GET"]
    attributes = dict(span.attributes or {})
    assert ("not_found", "client_error") == (attributes["error.type"], attributes["pictor.outcome"])
    assert "http.route" not in attributes
    assert StatusCode.UNSET is span.status.status_code
    assert "secret" not in span.to_json()


def test_our_own_failure_is_an_error(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected one as well."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("pictor_gateway.dialects.pictor.handlers.models_answer", broken)
    assert 500 == recording.http.get("/v1/models").status_code
    span = recording.spans()["GET /v1/models"]
    assert StatusCode.ERROR is span.status.status_code
    assert "internal_error" == (span.attributes or {})["error.type"]


def test_probes_leave_no_span(recording: Recording) -> None:
    """They come every few seconds, for ever."""
    for path in ("/livez", "/readyz", "/metrics"):
        recording.http.get(path)
    recording.http.get("/v1/models")
    assert ["GET /v1/models"] == list(recording.spans())


def test_a_call_of_tensorflow_serving_is_a_clients_span() -> None:
    """The stage is the call; its server is asked in the name of the request's span."""
    exporter = InMemorySpanExporter()
    recorder = Recorder(SimpleSpanProcessor(exporter), ())
    facts = RequestFacts("id")
    scope = {"type": "http", "method": "POST", "path": "/", "scheme": "http", "headers": []}
    trace = recorder.begin(scope, facts)
    facts.served = _Served()  # type: ignore[assignment] - only who it is, is asked
    facts.add("inference", 0.0)
    facts.status = 200
    trace.end(facts)
    call, request = exporter.get_finished_spans()
    assert ("tensorflow.serving.PredictionService/Predict", SpanKind.CLIENT) == (call.name, call.kind)
    assert ("grpc", "Predict") == tuple((call.attributes or {})[f"rpc.{key}"] for key in ("system", "method"))
    expected = f"00-{request.context.trace_id:032x}-{request.context.span_id:016x}-01"
    assert expected == facts.traceparent
    recorder.close()


class _Served:
    name, version, backend = "digits", 3, "tensorflow_serving"


def test_what_is_not_sampled_is_not_recorded_but_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard variables decide; the trace's id is known all the same."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    exporter = InMemorySpanExporter()
    recorder = Recorder(SimpleSpanProcessor(exporter), ())
    facts = RequestFacts("id")
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": []}
    recorder.begin(scope, facts).end(facts)
    assert re.fullmatch(f"00-{facts.trace_id}-[0-9a-f]{{16}}-00", facts.traceparent)
    assert () == exporter.get_finished_spans()


class Collector:
    """An OTLP endpoint on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: Queue[tuple[str, bytes]] = Queue()
        sent = self.sent

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture(name="collector")
def _collector() -> Iterator[Collector]:
    collector = Collector()
    with collector.server as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def test_spans_reach_an_otlp_collector_at_the_latest_when_the_gateway_ends(
    serve: Callable[..., Any], collector: Collector, picture: MakePicture
) -> None:
    """As protobuf over HTTP, where the standard variables say."""
    endpoint = f"http://127.0.0.1:{collector.server.server_address[1]}"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "front"}
    server = serve("--tracing", "true", "--drain-s", "0", environment=environment)
    answer = httpx.post(
        f"{server.address()}/v1/classify", content=picture(), headers={"traceparent": TRACEPARENT}
    )
    assert 200 == answer.status_code
    server.process.terminate()
    assert 0 == server.process.wait(30)
    path, body = collector.sent.get(timeout=30)
    (of_resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
    spans = {span.name: span for span in of_resource.scope_spans[0].spans}
    assert ("/v1/traces", "front") == (path, resource["service.name"])
    assert bytes.fromhex(TRACE) == spans["POST /v1/classify"].trace_id
    assert {"read", "decode", "queue", "inference"} < set(spans)
    (line,) = [line for line in server.log() if line["msg"] == "request"]
    assert TRACE == line["trace_id"]


def test_a_dead_collector_holds_up_neither_answers_nor_the_end(
    serve: Callable[..., Any], picture: MakePicture
) -> None:
    """Its absence is said in the log."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"}
    server = serve("--tracing", "true", "--drain-s", "0", environment=environment)
    assert 200 == httpx.post(f"{server.address()}/v1/classify", content=picture()).status_code
    server.process.terminate()
    assert 0 == server.process.wait(30)
    assert any(line["logger"].startswith("opentelemetry") for line in server.log())


def test_a_collector_that_hangs_is_given_up_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last spans are worth a few seconds, not more."""
    monkeypatch.setattr("pictor_gateway.telemetry.spans._LAST_SPANS_S", 0.05)
    answered, asked = Event(), Event()

    class Hanging(SpanProcessor):
        def shutdown(self) -> None:
            asked.set()
            answered.wait(30)

    Recorder(Hanging(), ()).close()
    assert asked.is_set()
    answered.set()
