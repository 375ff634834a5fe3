"""The client against a real HTTP server on loopback that answers what it is told to."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from pictor_client import GatewayUnreachable, Refused, classify
from pictor_client.predict import predict

ANSWER = {"id": "1", "predictions": [{"label": "cat", "index": 0, "score": 0.9}]}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Answer every POST with `status` and `body`; yield the address and the requests received."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's own signature
            """Keep the tests' output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_a_picture_comes_back_as_its_answer() -> None:
    """The bytes are sent as they are, top_k as a parameter."""
    with answering(200, json.dumps(ANSWER).encode()) as (url, received):
        assert ANSWER == classify(b"picture", url=url, top_k=3)
    assert [("/v1/classify?top_k=3", b"picture")] == received


def test_a_refusal_keeps_status_and_code() -> None:
    """The gateway's problem is what the caller sees."""
    problem = {"code": "picture_broken", "detail": "The picture is truncated."}
    with (
        answering(422, json.dumps(problem).encode()) as (url, _),
        pytest.raises(Refused, match="truncated") as raised,
    ):
        classify(b"half", url=url)
    assert (422, "picture_broken") == (raised.value.status, raised.value.code)


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff"])
def test_what_is_no_gateway_is_said_to_be_none(body: bytes) -> None:
    """Another server at the address is recognised."""
    with answering(200, body) as (url, _), pytest.raises(GatewayUnreachable, match="is it a Pictor gateway"):
        classify(b"picture", url=url)


def test_nobody_there_is_said_with_what_to_do() -> None:
    """A closed port is no traceback."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(GatewayUnreachable, match="pictor serve"):
            classify(b"picture", url=url)


def test_predict_goes_on_after_a_refusal(tmp_path: Path) -> None:
    """Every picture is tried; one refusal makes the exit code 1."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(b"picture")
    with answering(503, b'{"code": "overloaded", "detail": "Too busy."}') as (url, received):
        outcome = CliRunner().invoke(predict, [*map(str, paths), "--url", url])
    assert (1, 2) == (outcome.exit_code, len(received))
    assert 2 == outcome.stderr.count("Too busy.")


def test_predict_prints_one_json_line_a_picture(tmp_path: Path) -> None:
    """What is printed can be read by a program."""
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"picture")
    with answering(200, json.dumps(ANSWER).encode()) as (url, _):
        outcome = CliRunner().invoke(predict, [str(picture), "--url", url])
    assert {"picture": str(picture), **ANSWER} == json.loads(outcome.stdout)
    assert 0 == outcome.exit_code


def test_predict_passes_its_flags_on(tmp_path: Path) -> None:
    """Model, version, number of labels and threshold reach the gateway as its parameters."""
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"picture")
    flags = ["--model", "pets", "--version", "3", "--top-k", "2", "--threshold", "0.5"]
    with answering(200, json.dumps(ANSWER).encode()) as (url, received):
        outcome = CliRunner().invoke(predict, [str(picture), "--url", url, *flags])
    assert (0, "/v1/classify?model=pets&version=3&top_k=2&threshold=0.5") == (
        outcome.exit_code,
        received[0][0],
    )


def test_importing_the_package_costs_no_http_library() -> None:
    """`pictor serve` starts through this package; httpx comes when `classify` is first asked for."""
    script = (
        "import sys, pictor_client; print('httpx' in sys.modules); "
        "import pictor_client.call; print(callable(pictor_client.classify), callable(pictor_client.classify))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ["False", "True True"] == done.stdout.splitlines()
