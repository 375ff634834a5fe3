"""What cannot be answered in time is refused at once; what is admitted is answered."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.batching_bench import Bench, finish, learn, on_bench, settle
from gateway.fakes import FakeBackend, HeldModel
from pictor_gateway.entrance.admission import Admission
from pictor_gateway.errors import Overloaded
from pictor_gateway.gateway import gateway_in
from pictor_gateway.inference.decoding import DecodeThreads
from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.request.time_limit import HEADER
from pictor_gateway.telemetry.metrics import Metrics

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize(
    ("outlook", "budget_s"),
    [
        (Outlook(wait_s=4.0, work_s=2.0), 10.0),
        (Outlook(wait_s=0.0, work_s=99.0), 10.0),  # nothing is ahead: try, and find out how long it takes now
        (Outlook(), 0.001),  # nothing was measured yet
    ],
)
def test_what_can_be_in_time_is_admitted(outlook: Outlook, budget_s: float) -> None:
    """Part of the time is left for what nobody foresees."""
    registry = CollectorRegistry()
    Admission(1, 1, Metrics(registry)).check(outlook, budget_s)
    assert outlook.wait_s == registry.get_sample_value("pictor_predicted_wait_seconds")


def test_what_would_be_too_late_is_refused() -> None:
    """The answer says after how many seconds another try makes sense."""
    registry = CollectorRegistry()
    with pytest.raises(Overloaded, match=r"wait would be 4\.1 s") as refused:
        Admission(1, 1, Metrics(registry)).check(Outlook(wait_s=4.1, work_s=2.0), 10.0)
    assert {"Retry-After": "5"} == refused.value.headers()
    assert 1 == registry.get_sample_value("pictor_shed_total", {"reason": "predicted_wait"})


def test_the_wait_is_foreseen_from_what_is_in_line_and_at_work() -> None:
    """Pictures ahead, divided by how many are answered at a time, times how long that takes."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model, seconds=2.0)
        assert 0 == bench.batches.outlook(model, 0, 1).wait_s
        requests = [bench.ask(0)]
        await settle()
        requests.append(bench.ask(*range(1, 8)))
        await settle()
        outlook = bench.batches.outlook(model, 0, 1)
        # The call under way has just begun; the seven in line go along with the newcomer.
        assert (2.0, 2.0) == pytest.approx((outlook.wait_s, outlook.work_s), abs=0.1)
        assert 4.0 == pytest.approx(bench.batches.outlook(model, 8, 1).wait_s, abs=0.1)
        model.parallel_calls = 4
        assert 0.5 == pytest.approx(bench.batches.outlook(model, 8, 1).wait_s, abs=0.1)
        model.parallel_calls = 1
        await finish(model, requests)

    on_bench(model, test)


def test_a_call_that_hangs_says_that_calls_take_longer_now() -> None:
    """Before it has ended, and before anything was measured."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        request = bench.ask(1)
        await settle()
        (queue,) = bench.batches._queues.values()
        (call,) = queue._calls.values()
        call.began -= 5.0
        assert 5.0 == pytest.approx(bench.batches.outlook(model, 0, 1).wait_s, abs=0.1)
        await finish(model, [request])

    on_bench(model, test)


def test_a_server_that_hangs_says_nothing_of_the_others() -> None:
    """Its places are taken away, and the wait is predicted by what still moves."""
    model = HeldModel(parallel_calls=2)

    async def test(bench: Bench) -> None:
        learn(bench, model, seconds=0.1)
        request = bench.ask(1)
        await settle()
        (queue,) = bench.batches._queues.values()
        (call,) = queue._calls.values()
        call.began -= 5.0
        assert bench.batches.outlook(model, 0, 1).wait_s < 0.5
        await finish(model, [request])

    on_bench(model, test)


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    """Make threads that wait for answers."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def test_a_request_that_would_be_too_late_is_refused_before_its_body_is_read(
    make_gateway: MakeGateway, picture: MakePicture, clients: ThreadPoolExecutor, eventually: Eventually
) -> None:
    """One with more time waits; those at work are not disturbed; afterwards everybody is admitted again."""
    held = HeldModel()
    gateway = make_gateway(FakeBackend(held))
    batches = gateway_in(gateway.app).pipeline._batches
    batches._experience_of(held).times.note(1, 5.0)
    requests = [clients.submit(gateway.http.post, "/v1/classify", content=picture())]
    eventually(lambda: len(held.calls) == 1)
    head = f"POST /v1/classify HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n{HEADER}: 1000\r\n\r\n"
    with socket.create_connection(
        (gateway.http.base_url.host, gateway.http.base_url.port), timeout=30
    ) as client:
        client.sendall(head.encode())
        refusal = client.recv(10_000)
    assert refusal.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 5\r\n" in refusal.lower()
    numbers = gateway.http.get("/metrics").text
    assert 'pictor_shed_total{reason="predicted_wait"} 1.0' in numbers
    assert re.search(r"^pictor_predicted_wait_seconds [45]\.", numbers, re.MULTILINE)
    requests.append(clients.submit(gateway.http.post, "/v1/classify", content=picture()))
    eventually(lambda: "pictor_queued_pictures 1.0" in gateway.http.get("/metrics").text)
    for number in range(2):
        eventually(lambda number=number: len(held.calls) > number)
        gateway.loop.call_soon_threadsafe(held.calls[number].end)
    assert [200, 200] == [request.result().status_code for request in requests]
    eventually(lambda: "pictor_predicted_wait_seconds 0.0" in gateway.http.get("/metrics").text)


def test_a_request_with_many_pictures_takes_turns_with_the_others() -> None:
    """One picture does not wait for all of another request's."""
    order: list[str] = []
    entered, opened = Event(), Event()

    def piece(name: str) -> None:
        if not order:
            entered.set()
            assert opened.wait(30)
        order.append(name)

    async def run() -> None:
        threads = DecodeThreads(1)
        many = asyncio.create_task(threads.run([lambda name=name: piece(name) for name in ("a", "b", "c")]))
        await asyncio.to_thread(entered.wait, 30)
        one = asyncio.create_task(threads.run([lambda: piece("alone")]))
        await settle()
        assert 4 == threads.unfinished
        opened.set()
        await asyncio.gather(many, one)
        assert ["a", "alone", "b", "c"] == order
        assert 0 == threads.unfinished
        threads.close()

    asyncio.run(run())


def test_the_wait_for_a_thread_is_foreseen() -> None:
    """What waits or is at work, times how long a piece took until now, shared by the threads."""

    async def run() -> None:
        threads = DecodeThreads(2)
        assert Outlook(0.0, 0.0) == threads.outlook(3)
        await threads.run([int])
        threads._duration.value, threads._unfinished = 0.5, 8
        assert Outlook(2.0, 1.0) == threads.outlook(3)
        threads.close()

    asyncio.run(run())


def test_work_that_breaks_is_told_and_the_rest_of_its_list_dropped() -> None:
    """The next list is done as if nothing had been."""
    done: list[int] = []

    async def run() -> None:
        threads = DecodeThreads(1)
        with pytest.raises(ValueError, match="invalid literal"):
            await threads.run([lambda: int("?"), lambda: done.append(1)])
        assert ["7"] == [one.result for one in await threads.run([lambda: str(7)])]
        assert (0, []) == (threads.unfinished, done)
        threads.close()

    asyncio.run(run())
