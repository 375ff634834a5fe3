"""A request's time: the client may set it, and whoever is too late is told where it ran out."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import pytest
from starlette.datastructures import Headers

from gateway.fakes import FakeBackend, HeldModel
from pictor_gateway.errors import DeadlineExceeded, InvalidParameter
from pictor_gateway.request.time_limit import HEADER, budget_of, time_limit
from pictor_gateway.telemetry.facts import RequestFacts

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250", 0.25), ("0.5", 0.0005), ("10.25", 0.01025), ("60000", 60.0), ("60001", 60.0), ("9" * 400, 60.0)],
)
def test_a_client_says_how_long_it_will_wait(text: str, seconds: float) -> None:
    """Milliseconds, whole or not; more than the operator allows is cut."""
    assert seconds == pytest.approx(budget_of(Headers({HEADER: text}), 60.0))


def test_a_client_need_not_say_it() -> None:
    """Then the operator's setting holds."""
    assert budget_of(Headers(), 60.0) is None


@pytest.mark.parametrize(
    "text", ["0", "0.0", "-5", "+5", "abc", "1e3", "inf", "nan", "1,5", "5 ms", "", "0x5"]
)
def test_a_time_limit_that_is_no_number_is_refused(text: str) -> None:
    """Also one that Python would take for a number, and one that leaves no time."""
    with pytest.raises(InvalidParameter, match="positive number of milliseconds"):
        budget_of(Headers({HEADER: text}), 60.0)


def test_the_refusal_of_a_time_limit_is_a_422(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """It says what was received."""
    refused = make_gateway().http.post("/v1/classify", content=picture(), headers={HEADER: "soon"})
    assert (422, "parameter_invalid") == (refused.status_code, refused.json()["code"])
    assert "'soon'" in refused.json()["detail"]


def test_the_time_counts_from_the_arrival_and_is_never_put_off() -> None:
    """What was spent before the limit was known is gone."""

    async def run() -> None:
        facts = RequestFacts("an id", started=perf_counter() - 10)
        async with time_limit(facts) as limit:
            limit.end_after_arrival(25.0)
            assert 15.0 == pytest.approx(limit.deadline.left_s(), abs=1)
            limit.end_in(20.0)
            assert 15.0 == pytest.approx(limit.deadline.left_s(), abs=1)
            limit.end_after_arrival(12.0)
            assert 2.0 == pytest.approx(limit.deadline.left_s(), abs=1)

    asyncio.run(run())


def test_the_limit_ends_what_waits_and_names_the_stage() -> None:
    """Also when it lies in the past already; a complete body need not be thrown away."""

    async def run() -> None:
        facts = RequestFacts("an id", stage="queue", body_read=True, started=perf_counter() - 10)

        async def wait() -> None:
            async with time_limit(facts) as limit:
                limit.end_after_arrival(5.0)
                await asyncio.Event().wait()

        with pytest.raises(DeadlineExceeded, match="'queue'") as exceeded:
            await wait()
        assert not exceeded.value.cuts_body

    asyncio.run(run())


def test_another_timeout_inside_is_not_taken_for_the_limit() -> None:
    """Some library's own time ran out: that is an error of ours, and must be seen as one."""

    async def run() -> None:
        async with time_limit(RequestFacts("an id")) as limit:
            limit.end_in(30.0)
            raise TimeoutError("a library's")

    with pytest.raises(TimeoutError, match="a library's"):
        asyncio.run(run())


def test_time_runs_out_while_the_body_is_read(make_gateway: MakeGateway) -> None:
    """The answer comes although the body does not, and ends the connection."""
    gateway = make_gateway()
    address = (gateway.http.base_url.host, gateway.http.base_url.port)
    head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n{HEADER}: 50\r\n\r\nhalf"
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 504")
    assert b"'read'" in answer
    assert b"connection: close" in answer.lower()


@pytest.fixture
def held() -> HeldModel:
    """Make a model that answers when it is told to."""
    return HeldModel()


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    """Make threads that wait for answers."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def test_time_runs_out_in_the_queue(
    make_gateway: MakeGateway,
    picture: MakePicture,
    held: HeldModel,
    clients: ThreadPoolExecutor,
    eventually: Eventually,
) -> None:
    """The picture never reaches the model, and the one at the model is not disturbed."""
    gateway = make_gateway(FakeBackend(held))
    first = clients.submit(gateway.http.post, "/v1/classify", content=picture())
    eventually(lambda: len(held.calls) == 1)
    late = gateway.http.post("/v1/classify", content=picture(), headers={HEADER: "60"})
    assert (504, "deadline_exceeded") == (late.status_code, late.json()["code"])
    assert "'queue'" in late.json()["detail"]
    gateway.loop.call_soon_threadsafe(held.calls[0].end)
    assert 200 == first.result().status_code
    assert 1 == len(held.calls)
    assert "pictor_queued_pictures 0.0" in gateway.http.get("/metrics").text


def test_time_runs_out_at_the_model(
    make_gateway: MakeGateway, picture: MakePicture, held: HeldModel, eventually: Eventually
) -> None:
    """The backend was told the deadline, and is not left at work for nobody."""
    gateway = make_gateway(FakeBackend(held))
    late = gateway.http.post("/v1/classify", content=picture(), headers={HEADER: "100"})
    assert "'inference'" in late.json()["detail"]
    assert held.calls[0].deadline.left_s() <= 0
    eventually(held.calls[0].outcome.cancelled)


def test_a_client_may_ask_for_more_time_than_the_default(
    make_gateway: MakeGateway,
    picture: MakePicture,
    held: HeldModel,
    clients: ThreadPoolExecutor,
    eventually: Eventually,
) -> None:
    """Up to what the operator allows."""
    gateway = make_gateway(FakeBackend(held), request_timeout_s=0.01)
    patient = clients.submit(gateway.http.post, "/v1/classify", content=picture(), headers={HEADER: "30000"})
    eventually(lambda: len(held.calls) == 1)
    assert 20 < held.calls[0].deadline.left_s() < 30
    gateway.loop.call_soon_threadsafe(held.calls[0].end)
    assert 200 == patient.result().status_code
