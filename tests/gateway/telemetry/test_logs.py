"""The log: one JSON line per request, written without holding up anybody, and nothing secret in it."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest

from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.log_writer import BackgroundWriter
from pictor_gateway.telemetry.logs import JsonLines

Serve = Callable[..., Any]
MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]


def _record(text: str, **fields: object) -> logging.LogRecord:
    return logging.getLogger("any").makeRecord(
        "any", logging.INFO, "", 0, text, (), None, extra={"fields": fields}
    )


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, TextIO]]:
    """Give a pipe: the descriptor to read from, and the stream to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
    os.close(reading)


def _writer(stream: TextIO, most_waiting: int = 100) -> BackgroundWriter:
    writer = BackgroundWriter(stream, most_waiting)
    writer.setFormatter(JsonLines())
    return writer


def test_what_was_logged_is_written_in_order_when_the_writer_closes(pipe: tuple[int, TextIO]) -> None:
    """One line each."""
    reading, stream = pipe
    writer = _writer(stream)
    for number in range(50):
        writer.handle(_record("said", number=number))
    writer.close()
    lines = os.read(reading, 1_000_000).decode().splitlines()
    assert list(range(50)) == [json.loads(line)["number"] for line in lines]


def test_a_full_pipe_holds_up_nobody_and_what_was_dropped_is_told(
    pipe: tuple[int, TextIO], eventually: Eventually
) -> None:
    """Once somebody reads again, a line says how many are missing."""
    reading, stream = pipe
    writer = _writer(stream)
    for number in range(2_000):  # far more than a pipe holds
        writer.handle(_record("x" * 1000, number=number))
    received = b""

    def accounted() -> int:
        nonlocal received
        received += os.read(reading, 1_000_000)
        lines = [json.loads(line) for line in received.splitlines(keepends=True) if line.endswith(b"\n")]
        return sum(line.get("dropped_log_lines", "number" in line) for line in lines)

    eventually(lambda: accounted() == 2_000)
    writer.close()
    assert received.count(b"number") < 1_000


def test_processes_that_share_a_pipe_do_not_mix_their_lines(pipe: tuple[int, TextIO]) -> None:
    """Each write is small enough for the system to take it whole."""
    reading, stream = pipe
    writers = [_writer(stream), _writer(stream)]
    for number in range(60):
        for writer in writers:
            writer.handle(_record("y" * 300, number=number))
    for writer in writers:
        writer.close()
    lines = os.read(reading, 1_000_000).decode().splitlines()
    assert sorted(2 * list(range(60))) == sorted(json.loads(line)["number"] for line in lines)


def test_a_record_that_makes_no_sense_harms_nobody(pipe: tuple[int, TextIO]) -> None:
    """A line says whose it was."""
    reading, stream = pipe
    writer = _writer(stream)
    writer.handle(logging.getLogger("any").makeRecord("any", logging.INFO, "", 0, "%d", ("no number",), None))
    writer.close()
    assert "any" == json.loads(os.read(reading, 10_000))["by"]


def test_a_reader_that_is_gone_is_no_error(eventually: Eventually) -> None:
    """The lines have nowhere to go; the gateway goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        writer = _writer(stream)
        writer.handle(_record("into the void"))
        eventually(writer._waiting.empty)
        writer.handle(_record("again"))
        writer.close()


def test_what_is_no_json_is_written_all_the_same() -> None:
    """Paths, and names of files that are not UTF-8."""
    formatter = JsonLines()
    assert "/a" == json.loads(formatter.format(_record("said", path=Path("/a"))))["path"]
    assert "a\udcff" == json.loads(formatter.format(_record("said", name="a\udcff")))["name"]


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "", "ok"),
        (304, "", "ok"),
        (400, "request_malformed", "client_error"),
        (401, "unauthorized", "client_error"),
        (404, "model_not_found", "client_error"),
        (408, "body_timeout", "timeout"),
        (413, "body_too_large", "client_error"),
        (415, "media_type_unsupported", "client_error"),
        (422, "url_refused", "client_error"),
        (429, "rate_limited", "rate_limited"),
        (499, "client_gone", "cancelled"),
        (0, "", "cancelled"),
        (500, "internal_error", "error"),
        (200, "internal_error", "error"),
        (501, "", "error"),
        (502, "inference_failed", "backend_error"),
        (502, "url_fetch_failed", "client_error"),
        (503, "overloaded", "rejected"),
        (503, "", "rejected"),
        (503, "model_not_ready", "backend_error"),
        (503, "backend_unavailable", "backend_error"),
        (504, "deadline_exceeded", "timeout"),
        (400, "inference_failed", "backend_error"),
    ],
)
def test_each_end_has_its_word(status: int, code: str, outcome: str) -> None:
    """The code decides, for a dialect may answer with a status of its own."""
    assert outcome == RequestFacts("id", status=status, code=code).outcome


def test_a_requests_line_holds_what_is_known_of_it(
    make_gateway: MakeGateway, picture: MakePicture, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    """And nothing that may be secret: no query, no credentials, no pixels."""
    http = make_gateway().http
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "Authorization": "Bearer hush"}
    with caplog.at_level(logging.INFO, "pictor.access"):
        http.post("/v1/classify?threshold=0.123", content=picture(), headers=headers)
        eventually(lambda: bool(caplog.records))
    (record,) = [record for record in caplog.records if record.name == "pictor.access"]
    text = JsonLines().format(record)
    line = json.loads(text)
    expected = {
        "level": "info",
        "trace_id": trace,
        "dialect": "pictor",
        "method": "POST",
        "route": "/v1/classify",
        "status": 200,
        "outcome": "ok",
        "code": "",
        "model": "colours",
        "version": "1",
        "backend": "embedded",
        "key": "",
    }
    assert expected == {name: line[name] for name in expected}
    assert {"ts", "request_id", "pictures", "timings_ms"} <= set(line)
    assert not [secret for secret in ("hush", "0.123", "iVBOR") if secret in text]


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/models/none:predict", "/v2/models/none", "/none"])
def test_every_error_carries_the_requests_id(http: httpx.Client, path: str) -> None:
    """In every dialect, and where there is none."""
    answer = http.get(path, headers={"X-Request-ID": "mine"})
    assert answer.is_error
    assert "mine" == answer.headers["X-Request-ID"]


def test_an_answer_says_which_backend_gave_it(http: httpx.Client, picture: MakePicture) -> None:
    """In a header, for not every dialect has room for it in the body."""
    answered = http.post("/v1/classify", content=picture())
    refused = http.post("/v1/classify", content=b"no picture")
    assert ["embedded", "embedded"] == [one.headers["X-Model-Backend"] for one in (answered, refused)]
    assert all("total;dur=" in one.headers["Server-Timing"] for one in (answered, refused))


@pytest.fixture(name="unread")
def _unread(store: Path) -> Iterator[subprocess.Popen[str]]:
    """Start `pictor serve` with a standard error that nobody reads."""
    command = "from pictor_gateway.cli import serve; serve()"
    flags = ["--models", str(store), "--port", "0", "--drain-s", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_a_log_that_nobody_reads_stops_neither_answers_nor_the_end(unread: subprocess.Popen[str]) -> None:
    """A pipe holds some hundred lines; when it is full the gateway goes on, and ends as it should."""
    assert unread.stdout is not None
    address = unread.stdout.readline().partition("listening on ")[2].partition(",")[0]
    with httpx.Client(base_url=address, timeout=30) as http:
        assert {200} == {http.get("/v1/models").status_code for _ in range(400)}
        unread.send_signal(signal.SIGTERM)
    assert 0 == unread.wait(30)


def test_the_last_lines_are_written_before_the_process_ends(serve: Serve) -> None:
    """Also when it is told to end."""
    server = serve("--drain-s", "0")
    with httpx.Client(base_url=server.address()) as http:
        for _ in range(50):
            http.get("/v1/models")
    server.process.send_signal(signal.SIGTERM)
    assert 0 == server.process.wait(30)
    said = [line["msg"] for line in server.log()]
    assert (50, True) == (said.count("request"), "draining" in said)


def test_a_child_process_writes_its_own_lines(pipe: tuple[int, TextIO]) -> None:
    """A fork takes the writer along, but not its thread."""
    reading, stream = pipe
    writer = _writer(stream)
    writer.handle(_record("first"))
    assert writer._thread is not None
    writer._waiting.put(None)
    writer._thread.join()  # as after a fork: there, but dead
    writer.handle(_record("second"))
    writer.close()
    said = [json.loads(line)["msg"] for line in os.read(reading, 100_000).decode().splitlines()]
    assert ["first", "second"] == said


def test_lines_that_could_not_be_written_are_told_once_there_is_room(pipe: tuple[int, TextIO]) -> None:
    """A full disk, or a full pipe that does not wait, loses no line silently."""
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    writer = _writer(stream, 1_000)
    for number in range(200):  # more than a pipe holds
        writer.handle(_record("x" * 1000, number=number))
    writer.close()
    received = os.read(reading, 1_000_000)
    writer.handle(_record("there is room", number=200))
    writer.close()
    lines = [json.loads(line) for line in (received + os.read(reading, 1_000_000)).splitlines()]
    lost = [line["dropped_log_lines"] for line in lines if "dropped_log_lines" in line]
    assert 201 == len(lines) - len(lost) + sum(lost)
    assert 1 == len(lost)
