"""What one server's answers say about its health, and what happens to calls that are given up."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pytest
import uvloop

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.fleet_metrics import FleetCollector
from pictor_gateway.backends.tensorflow_serving.health import Health
from pictor_tfs.messages import MODEL_STATUS, PREDICT

CALM = {"tfs_probe_timeout_s": 30}


async def fails(running: Any, times: int) -> None:
    """Make calls that fail."""
    for _ in range(times):
        with pytest.raises(CallFailed):
            await running.predict()


def test_five_failures_in_a_row_open_the_breaker(ground: Any) -> None:
    """Our own questions do not count, a good answer does. Then it has to wait in spite of good polls."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            server = running.server(pods[0])
            pods[0].answer = on.refusing("INTERNAL", "broken")
            await fails(running, 4)
            pods[0].answer = None
            await running.predict()  # makes up for a quarter of a failure
            pods[0].answer = on.refusing("UNKNOWN", "broken")
            await fails(running, 1)
            pods[0].answer = None
            for path in (MODEL_STATUS, PREDICT):
                await server.call(path, b"", 20)
            pods[0].answer = on.refusing("UNKNOWN", "broken")
            assert server.usable
            began = asyncio.get_running_loop().time()
            await fails(running, 1)
            assert not server.usable
            server.readmit()
            assert not server.usable
            await on.until(lambda: server.usable)
            assert asyncio.get_running_loop().time() - began >= 1

    asyncio.run(scenario())


def test_refusals_of_the_request_do_not_open_the_breaker(ground: Any) -> None:
    """They say nothing about the server."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = on.refusing("INVALID_ARGUMENT")
            await fails(running, 20)
            assert running.server(pods[0]).usable

    asyncio.run(scenario())


def test_the_pause_between_probes_grows_to_a_limit() -> None:
    """0.1 s, doubled each time, never above 5 s and a little; a probe that waited itself starts it anew."""
    health = Health()
    health.eject()
    pauses = [health.next_probe_s() for _ in range(9)]
    for pause, least in zip(pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5], strict=True):
        assert least <= pause <= least * 1.3
    health.probe_waited()
    assert health.next_probe_s() < 0.2


def test_a_server_that_fails_again_and_again_waits_longer_each_time() -> None:
    """Until a good answer is between."""
    health = Health()
    pauses = []
    for _ in range(5):
        while not health.strike():
            pass
        health.eject()
        assert not health.readmit()
        pauses.append(health.next_probe_s())
        health.usable = True
    for pause, least in zip(pauses, [1, 2, 4, 5, 5], strict=True):
        assert least <= pause <= least * 1.3


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_cancelling_a_call_cancels_it_on_the_server(
    ground: Any, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """Nobody waits for the answer: the server hears of it, and its health is not in question."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = on.silent
            task = asyncio.create_task(running.predict())
            await on.until(lambda: len(pods[0].requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await on.until(lambda: pods[0].cancelled == 1)
            assert (True, 0) == (running.server(pods[0]).usable, running.server(pods[0]).busy)
            count = running.count("pictor_backend_calls_total", code="CANCELLED")
            assert 1 == count

    run(scenario())


def test_an_ejection_ends_calls_without_cancelling_their_tasks(ground: Any) -> None:
    """Inside a timeout, too, where the end of a call looks like the end of the task."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            server = running.server(pods[0])
            pods[0].answer = on.silent

            async def call() -> str:
                try:
                    async with asyncio.timeout(20):
                        await server.call(PREDICT, b"", 20)
                except CallFailed as failure:
                    return f"{failure.code.name} {failure.details} {failure.kind}"
                raise AssertionError

            task = asyncio.create_task(call())
            await on.until(lambda: len(pods[0].requests) == 1)
            server.eject("failing", "no reason")
            assert "UNAVAILABLE no reason gone" == await task
            await on.until(lambda: pods[0].cancelled == 1)

    asyncio.run(scenario())


def test_a_task_that_is_cancelled_with_the_ejection_stays_cancelled(ground: Any) -> None:
    """Whoever cancelled it must not see it go on."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = on.silent
            task = asyncio.create_task(running.predict())
            await on.until(lambda: len(pods[0].requests) == 1)
            running.server(pods[0]).eject("failing", "no reason")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())


def test_closing_the_fleet_ends_what_is_in_flight(ground: Any) -> None:
    """And a call after that fails as it should, not with a surprise of the library's."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            server = running.server(pods[0])
            pods[0].answer = on.silent
            task = asyncio.create_task(server.call(PREDICT, b"", 20))
            await on.until(lambda: len(pods[0].requests) == 1)
            await running.fleet.close()
            with pytest.raises(CallFailed, match="the gateway stops"):
                await task
            with pytest.raises(CallFailed, match="has left"):
                await server.call(PREDICT, b"", 20)

    asyncio.run(scenario())


def test_the_trace_context_is_handed_on(ground: Any) -> None:
    """As metadata; none is sent if there is none."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            await running.predict(traceparent="00-1-2-01")
            await running.predict()
            assert ["00-1-2-01", None] == [seen.get("traceparent") for seen in pods[0].metadata]

    asyncio.run(scenario())


def test_ejections_are_logged_once_and_counted(ground: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With the server and the reason, not at every probe."""
    caplog.set_level(logging.INFO, "pictor.tfs")

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, tfs_probe_timeout_s=0.1)
            running.registry.register(FleetCollector(running.fleet))
            await on.until(lambda: pods[0].polls > 0)
            pods[0].kill()
            await on.until(lambda: not running.server(pods[0]).usable)
            assert [0, 1] == [running.count("pictor_server_up", server=pod.address) for pod in pods]
            assert 1 == running.count("pictor_server_ejections_total", reason="unreachable")
            assert 0 == running.count("pictor_server_calls_inflight", server=pods[0].address)
            await pods[0].start()
            await on.until(lambda: running.server(pods[0]).usable)

    asyncio.run(scenario())
    said = [record.message for record in caplog.records]
    assert ["server found", "server found", "server ejected", "server readmitted"] == said


def test_a_call_that_finds_the_gateway_asleep_is_no_hang(ground: Any) -> None:
    """A process that was stopped for a while must not eject every server when it wakes up."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            server = running.server(pods[0])
            pods[0].answer = on.silent
            task = asyncio.create_task(server.call(PREDICT, b"", 20))
            await on.until(lambda: len(pods[0].requests) == 1)
            for flight in server._flights:
                flight.began -= 60
            server._heard_at = 0
            server._look(monotonic() - 30)
            assert (True, True) == (server.usable, server.at_work)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())


def test_parallel_calls_follow_the_servers_that_are_usable(ground: Any) -> None:
    """Never less than one, so that somebody finds out that all are gone."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, tfs_calls_per_server=3, **CALM)
            fleet = running.fleet
            chosen = running.server(pods[0])
            assert (6, 3, 1) == (
                fleet.parallel_calls(lambda server: True),
                fleet.parallel_calls(lambda server: server is chosen),
                fleet.parallel_calls(lambda server: False),
            )
            chosen.eject("failing", "no reason")
            assert 3 == fleet.parallel_calls(lambda server: True)

    asyncio.run(scenario())
