"""`pictor serve` as operators run it: start, stop, new versions under load."""

import shutil
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI

from pictor_gateway import Settings
from pictor_gateway.process.server import uvicorn_config

Serve = Callable[..., Any]
Publish = Callable[..., Path]
Eventually = Callable[[Callable[[], bool]], None]
MakePicture = Callable[..., bytes]


def test_it_says_where_it_listens_and_what_it_serves(serve: Serve, picture: MakePicture) -> None:
    """One line on standard output, when the models have been tried; logs go to standard error as JSON."""
    server = serve()
    line = server.announcement()
    address = line.partition("listening on ")[2].partition(",")[0]
    assert "models colours/1" in line
    assert 200 == httpx.post(f"{address}/v1/classify", content=picture()).status_code
    assert "version available" in [entry["msg"] for entry in server.log()]


def test_it_stays_small(serve: Serve, picture: MakePicture) -> None:
    """With a small model the whole process takes less than 200 MB, also after some work."""
    server = serve()
    with httpx.Client(base_url=server.address()) as http:
        for _ in range(50):
            http.post("/v1/classify", content=picture(size=(640, 480), form="JPEG"))
    assert psutil.Process(server.process.pid).memory_info().rss < 200_000_000


def test_what_large_pictures_took_is_given_back(serve: Serve, picture: MakePicture) -> None:
    """Pictures of 49 megapixels take 150 MB and more each, but only while they are decoded."""
    server = serve("--request-timeout-s", "120")
    large = picture(size=(7000, 7000))
    with httpx.Client(base_url=server.address(), timeout=120) as http:
        assert [200] * 4 == [http.post("/v1/classify", content=large).status_code for _ in range(4)]
    assert psutil.Process(server.process.pid).memory_info().rss < 200_000_000


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(serve: Serve, sent: signal.Signals) -> None:
    """Both an orchestrator and a person at the keyboard end it well."""
    server = serve("--drain-s", "0")
    server.address()
    server.process.send_signal(sent)
    assert 0 == server.process.wait(30)


def test_sigterm_drains(serve: Serve, picture: MakePicture, eventually: Eventually) -> None:
    """Not ready at once, still serving while balancers notice, finishing what was begun, exit code 0."""
    server = serve("--drain-s", "3")
    address = server.address()
    with socket.create_connection(
        (address.removeprefix("http://").split(":")[0], int(address.rpartition(":")[2]))
    ) as slow:
        body = picture()
        head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:10])
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{address}/readyz").status_code == 503)
        assert 200 == httpx.post(f"{address}/v1/classify", content=picture()).status_code
        eventually(lambda: _refuses(address))  # the delay is over: no new connection, the old one goes on
        slow.sendall(body[10:])
        assert b"HTTP/1.1 200" in slow.recv(65536)
    assert 0 == server.process.wait(30)


def _refuses(address: str) -> bool:
    try:
        httpx.get(f"{address}/livez")
    except httpx.TransportError:
        return True
    return False


def test_new_versions_under_load_fail_no_request(
    serve: Serve, publish: Publish, picture: MakePicture, eventually: Eventually
) -> None:
    """Versions are swapped, one of them broken, and a healthy one answers every request."""
    server = serve()
    address = server.address()
    over = Event()
    statuses: list[tuple[int, str]] = []

    def ask() -> None:
        with httpx.Client(base_url=address) as http:
            while not over.is_set():
                response = http.post("/v1/classify", content=picture())
                statuses.append((response.status_code, response.headers.get("X-Model-Version", "")))

    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask) for _ in range(4)]
        eventually(lambda: (200, "1") in statuses)
        publish("colours", 2)
        eventually(lambda: (200, "2") in statuses)
        (publish("colours", 3) / "extra").write_bytes(b"x")
        publish("colours", 4)
        eventually(lambda: (200, "4") in statuses)
        over.set()
        for one in asking:
            one.result()
    assert {200} == {status for status, _ in statuses}
    assert {"1", "2", "4"} <= {version for _, version in statuses} <= {"1", "2", "3", "4"}


def test_a_taken_port_is_told_in_one_line(serve: Serve) -> None:
    """And ends the start with 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--port", str(taken.getsockname()[1]))
        assert 1 == server.process.wait(30)
    (line,) = server.log_file.read_text(encoding="utf-8").splitlines()
    assert "Cannot listen on 127.0.0.1" in line


def test_a_store_may_appear_later(
    serve: Serve, store: Path, tmp_path: Path, picture: MakePicture, eventually: Eventually
) -> None:
    """A missing folder is said and waited for: volumes are sometimes mounted late."""
    later = tmp_path / "later"
    server = serve(models=later)
    line = server.announcement()
    address = line.partition("listening on ")[2].partition(",")[0]
    assert "no model yet" in line
    assert 503 == httpx.get(f"{address}/readyz").status_code
    assert any(str(later) in str(entry["msg"]) for entry in server.log())
    shutil.copytree(store, later)
    eventually(lambda: httpx.get(f"{address}/readyz").status_code == 200)
    assert 200 == httpx.post(f"{address}/v1/classify", content=picture()).status_code


@pytest.mark.parametrize(("longest_s", "expected"), [(90.0, 91), (20.0, 41)])
def test_what_was_admitted_is_waited_for_at_the_end(longest_s: float, expected: int) -> None:
    """Also where a header asked for more time than requests have by default."""
    settings = Settings.load({"max_request_timeout_s": longest_s}, {})
    assert expected == uvicorn_config(FastAPI(), settings).timeout_graceful_shutdown
