"""Nobody works for a client that is gone."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from socket import create_connection
from typing import Any

import pytest
from starlette.types import Message

from gateway.fakes import FakeBackend, HeldModel
from pictor_gateway.errors import ClientGone
from pictor_gateway.request.disconnect import while_connected

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]


def _request(body: bytes) -> bytes:
    head = (
        f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


def test_a_client_that_hangs_up_in_its_body_harms_nobody(
    make_gateway: MakeGateway, picture: MakePicture, eventually: Eventually
) -> None:
    """Its place comes back, it is counted as cancelled, and the next client is served."""
    gateway = make_gateway()
    with closing(create_connection((gateway.http.base_url.host, gateway.http.base_url.port))) as client:
        client.sendall(_request(picture())[:-4])
    eventually(lambda: 'outcome="cancelled"' in gateway.http.get("/metrics").text)
    assert 200 == gateway.http.post("/v1/classify", content=picture()).status_code
    assert "pictor_inflight_requests 0.0" in gateway.http.get("/metrics").text


def test_the_work_of_a_client_that_hangs_up_is_given_up(
    make_gateway: MakeGateway, picture: MakePicture, eventually: Eventually
) -> None:
    """At the model its call is cancelled, in the line its picture leaves; those who wait are served."""
    held = HeldModel()
    gateway = make_gateway(FakeBackend(held))
    address = (gateway.http.base_url.host, gateway.http.base_url.port)
    with closing(create_connection(address)) as at_model, closing(create_connection(address)) as in_line:
        at_model.sendall(_request(picture()))
        eventually(lambda: len(held.calls) == 1)
        in_line.sendall(_request(picture()))
        eventually(lambda: "pictor_queued_pictures 1.0" in gateway.http.get("/metrics").text)
        in_line.close()
        eventually(lambda: "pictor_queued_pictures 0.0" in gateway.http.get("/metrics").text)
        assert not held.calls[0].outcome.done()
        at_model.close()
        eventually(held.calls[0].outcome.cancelled)
    eventually(lambda: "pictor_inflight_requests 0.0" in gateway.http.get("/metrics").text)
    assert 1 == len(held.calls)
    numbers = gateway.http.get("/metrics").text
    assert 'outcome="cancelled",version="1"} 2.0' in numbers


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


def test_a_client_that_stays_costs_nothing_that_lasts() -> None:
    """The watch ends with the work."""

    async def run() -> set[asyncio.Task[Any]]:
        async with while_connected(_never):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert set() == asyncio.run(run())


def test_a_client_that_hangs_up_cancels_the_work_wherever_it_waits() -> None:
    """Messages that are no disconnect are passed over."""
    messages: list[Message] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

    async def receive() -> Message:
        return messages.pop()

    async def run() -> None:
        with pytest.raises(ClientGone):
            async with while_connected(receive):
                await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        assert 0 == task.cancelling()
        await asyncio.sleep(0)  # nothing is left that would cancel what follows

    asyncio.run(run())


def test_a_client_that_hangs_up_too_late_changes_nothing() -> None:
    """The work was done in the same turn of the loop: its answer is sent, and fails there if it must."""

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async with while_connected(receive):
            await asyncio.sleep(0)
            gone.set()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(run())


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """Shutting down is not hanging up."""

    async def wait() -> None:
        async with while_connected(_never):
            await asyncio.Event().wait()

    async def run() -> None:
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
