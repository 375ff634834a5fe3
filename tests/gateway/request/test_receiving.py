"""Bodies on their way: they take no place of work, are not without number, and must not trickle."""

import asyncio
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.fakes import FakeBackend, HeldModel
from pictor_gateway.entrance.admission import Admission
from pictor_gateway.errors import Overloaded
from pictor_gateway.request import body
from pictor_gateway.telemetry.metrics import Metrics

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
Eventually = Callable[[Callable[[], bool]], None]


def _begin(gateway: Any, content: bytes) -> socket.socket:
    """Send all of a request but its last byte."""
    address = (gateway.http.base_url.host, gateway.http.base_url.port)
    connection = socket.create_connection(address, timeout=30)
    head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content[:-1])
    return connection


def test_bodies_on_their_way_take_no_place_of_work(
    make_gateway: MakeGateway, picture: MakePicture, eventually: Eventually
) -> None:
    """Others are answered meanwhile; four for each place may come in, and one more is refused at once."""
    gateway = make_gateway(max_concurrent_requests=1)

    def admitted(number: int) -> bool:
        return f"pictor_inflight_requests {number}.0" in gateway.http.get("/metrics").text

    with ExitStack() as clients:
        first, *_ = [clients.enter_context(_begin(gateway, picture())) for _ in range(3)]
        eventually(lambda: admitted(3))
        assert 200 == gateway.http.post("/v1/classify", content=picture()).status_code
        clients.enter_context(_begin(gateway, picture()))
        eventually(lambda: admitted(4))
        refused = gateway.http.post("/v1/classify", content=picture())
        assert (503, "overloaded") == (refused.status_code, refused.json()["code"])
        first.sendall(picture()[-1:])
        assert first.recv(65536).startswith(b"HTTP/1.1 200")
    eventually(lambda: admitted(0))
    assert 'pictor_shed_total{reason="receiving"} 1.0' in gateway.http.get("/metrics").text


def test_the_places_of_work_are_looked_at_again_when_the_body_is_here(
    make_gateway: MakeGateway, picture: MakePicture, eventually: Eventually
) -> None:
    """They may have been taken meanwhile."""
    held = HeldModel()
    gateway = make_gateway(FakeBackend(held), max_concurrent_requests=1)
    with _begin(gateway, picture()) as slow, ThreadPoolExecutor(1) as clients:
        eventually(lambda: "pictor_inflight_requests 1.0" in gateway.http.get("/metrics").text)
        inside = clients.submit(gateway.http.post, "/v1/classify", content=picture())
        eventually(lambda: len(held.calls) == 1)
        slow.sendall(picture()[-1:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 503")
        gateway.loop.call_soon_threadsafe(held.calls[0].end)
        assert 200 == inside.result().status_code
    assert 'pictor_shed_total{reason="concurrency"} 1.0' in gateway.http.get("/metrics").text


def test_the_bytes_on_their_way_are_limited_together() -> None:
    """And are free again when their bodies are complete or given up."""
    admission = Admission(1, 100, Metrics(CollectorRegistry()))
    with admission.receiving() as take_first:
        take_first(60)
        with admission.receiving() as take_second, pytest.raises(Overloaded, match="memory"):
            take_second(41)
        take_first(40)
    with admission.receiving() as take:
        take(100)


def test_a_body_that_brings_next_to_nothing_is_given_up(
    make_gateway: MakeGateway, picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time is over that bodies have; the answer ends the connection."""
    monkeypatch.setattr(body, "_GRACE_S", 0.05)
    gateway = make_gateway()
    with _begin(gateway, picture()[:40]) as slow:
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert "body_timeout" == json.loads(answer.partition(b"\r\n\r\n")[2])["code"]


def test_a_body_has_the_more_time_the_more_of_it_has_come() -> None:
    """As much as all bodies have, at most."""

    async def seconds(*arrived: int) -> list[float]:
        pace = body._Pace(30.0)
        async with pace.timer:
            allowed = [pace.allowed_s]
            for count in arrived:
                pace.note(count)
                allowed.append(pace.allowed_s)
        return allowed

    assert [5, 5, 20, 30] == asyncio.run(seconds(1024, 20 * 1024, 10_000_000))
