"""Probes and metrics on a port of their own."""

import re
import signal
import socket
from collections.abc import Callable
from typing import Any

import httpx

from gateway.web import refuses
from pictor_gateway.routes import PROBES

Serve = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]

PATHS = [route.path for route in PROBES]


def probes_address(announcement: str) -> str:
    """Return the second address that the announcement tells."""
    found = re.search(r"probes and metrics on (http://\S+)$", announcement)
    assert found is not None, announcement
    return found[1]


def main_address(announcement: str) -> str:
    """Return the first one."""
    return announcement.partition("listening on ")[2].partition(",")[0]


def test_probes_and_metrics_leave_the_main_port(serve: Serve, picture: MakePicture) -> None:
    """They answer on their own one, which answers nothing else; what is counted is one and the same."""
    line = serve("--metrics-port", "0").announcement()
    main, probes = main_address(line), probes_address(line)
    assert [200] * len(PATHS) == [httpx.get(probes + path).status_code for path in PATHS]
    assert [404] * len(PATHS) == [httpx.get(main + path).status_code for path in PATHS]
    assert [200, 200] == [httpx.get(f"{main}/v2/health/{one}").status_code for one in ("live", "ready")]
    assert 200 == httpx.post(f"{main}/v1/classify", content=picture()).status_code
    for path in ("/v1/classify", "/v1/models", "/docs", "/openapi.json", "/v2/health/live"):
        assert 404 == httpx.get(probes + path).status_code
    numbers = httpx.get(f"{probes}/metrics").text
    assert re.search(
        r'pictor_requests_total\{dialect="pictor",model="colours",outcome="ok".*\} 1\.0', numbers
    )
    assert "X-Request-ID" in httpx.get(f"{probes}/livez").headers


def test_the_probes_need_no_key(serve: Serve) -> None:
    """Wherever they are."""
    line = serve("--metrics-port", "0", "--api-keys", f"shop:{'0' * 64}").announcement()
    assert 200 == httpx.get(f"{probes_address(line)}/readyz").status_code
    assert 401 == httpx.get(f"{main_address(line)}/v1/models").status_code


def test_without_the_setting_there_is_one_port(serve: Serve) -> None:
    """And the announcement names one."""
    line = serve().announcement()
    assert "probes" not in line
    assert 200 == httpx.get(f"{main_address(line)}/metrics").status_code


def test_a_taken_port_for_metrics_is_told_in_one_line(serve: Serve) -> None:
    """With the flag to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--metrics-port", str(taken.getsockname()[1]))
        assert 1 == server.process.wait(30)
    (line,) = server.log_file.read_text(encoding="utf-8").splitlines()
    assert "with --host and --metrics-port" in line


def test_the_probes_answer_until_the_end(serve: Serve, picture: MakePicture, eventually: Eventually) -> None:
    """Not ready from the signal on, and still there when the main port takes nothing more."""
    server = serve("--metrics-port", "0", "--drain-s", "0")
    line = server.announcement()
    main, probes = main_address(line), probes_address(line)
    body = picture()
    with socket.create_connection(("127.0.0.1", int(main.rpartition(":")[2]))) as slow:
        head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:10])
        eventually(lambda: "pictor_inflight_requests 1.0" in httpx.get(f"{probes}/metrics").text)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(main))
        assert 503 == httpx.get(f"{probes}/readyz").status_code
        assert {"status": "alive", "draining": True} == httpx.get(f"{probes}/livez").json()
        slow.sendall(body[10:])
        assert b"HTTP/1.1 200" in slow.recv(65536)
    assert 0 == server.process.wait(30)
