"""A server that dies, hangs or comes back: calls are answered all the same."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import pytest
import uvloop

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.errors import BackendUnavailable, DeadlineExceeded

FAST = {"tfs_probe_timeout_s": 0.3}
"""A server counts as gone so soon."""
CALM = {"tfs_probe_timeout_s": 30}
"""No silence is long enough for a test."""


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run_on_both(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run on asyncio's own loop, and on the one of production."""
    return request.param  # type: ignore[no-any-return] - pytest does not know the type


def test_calls_are_spread_evenly_over_the_addresses(ground: Any) -> None:
    """In turn while all are idle; past one that is at work otherwise."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(3)
            running = await on.fleet(pods, **CALM)
            for _ in range(30):
                await running.predict()
            assert [10, 10, 10] == [len(pod.requests) for pod in pods]
            pods[0].answer = on.silent
            held = asyncio.gather(*(running.predict() for _ in range(3)), return_exceptions=True)
            await on.until(lambda: 11 == len(pods[0].requests))
            await on.until(lambda: [1, 0, 0] == [server.busy for server in running.fleet.servers])
            for _ in range(6):
                await running.predict()
            assert [11, 14, 14] == [len(pod.requests) for pod in pods]
            await running.fleet.close()
            await held

    asyncio.run(scenario())


def test_a_server_killed_under_load_fails_no_call(
    ground: Any, run_on_both: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """What was in flight on it is answered by another; back on its port it soon gets work again."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **CALM)

            async def slow(request: bytes, context: Any) -> bytes:
                await asyncio.sleep(0.002)
                if len(pods[0].requests) >= 50 and not dead.is_set():
                    dead.set()
                    pods[0].kill()
                return b"answer"

            dead = asyncio.Event()
            pods[0].answer = pods[1].answer = slow
            assert {"answer"} == set(await running.load(300, at_once=4))
            assert 1 <= running.count("pictor_retries_total", reason="unavailable") <= 4
            assert not running.server(pods[0]).usable
            began = asyncio.get_running_loop().time()
            await pods[0].start()
            await on.until(lambda: running.server(pods[0]).usable)
            assert asyncio.get_running_loop().time() - began < 1.5
            assert {"answer"} == set(await running.load(20, at_once=4))
            assert len(pods[0].requests) > 55

    run_on_both(scenario())


def test_a_server_that_hangs_is_ejected_and_its_calls_go_elsewhere(
    ground: Any, run_on_both: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """No answer of any kind, while something was asked of it; once it answers polls it gets work again."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **FAST)
            await on.until(lambda: all(pod.polls for pod in pods))
            pods[0].freeze()
            assert {"127.0.0.2"} == {await running.predict() for _ in range(4)}
            assert 1 == running.count("pictor_retries_total", reason="ejected")
            assert not running.server(pods[0]).usable
            pods[0].thaw()
            await on.until(lambda: running.server(pods[0]).usable)

    run_on_both(scenario())


def test_a_hang_is_noticed_without_any_call(ground: Any) -> None:
    """The polls alone are enough."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **FAST)
            await on.until(lambda: pods[0].polls > 0)
            pods[0].freeze()
            await on.until(lambda: not running.server(pods[0]).usable)

    asyncio.run(scenario())


def test_a_slow_call_is_no_hang_while_polls_are_answered(ground: Any) -> None:
    """It ends at its own deadline, and the server keeps its work."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **FAST)
            pods[0].answer = on.silent
            with pytest.raises(CallFailed) as raised:
                await running.predict(within_s=1.0)
            assert (grpc.StatusCode.DEADLINE_EXCEEDED, "late") == (raised.value.code, raised.value.kind)
            assert (True, 0) == (running.server(pods[0]).usable, running.server(pods[0]).ejections)
            assert 0 == running.count("pictor_retries_total", reason="ejected")

    asyncio.run(scenario())


def test_a_quick_restart_of_the_only_server_fails_no_call(ground: Any) -> None:
    """A call waits a moment for it to come back."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)

            restarts = []

            async def dies(request: bytes, context: Any) -> bytes:
                if not restarts:
                    pods[0].kill()
                    pods[0].answer = None
                    restarts.append(asyncio.create_task(pods[0].start()))
                return b""

            pods[0].answer = dies
            assert ["127.0.0.1"] * 4 == await running.load(4, at_once=2)
            await asyncio.gather(*restarts)

    asyncio.run(scenario())


def test_without_any_server_calls_fail_after_a_moment_and_then_at_once(ground: Any) -> None:
    """Nobody is kept waiting for what may take minutes."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            pods[0].kill()
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(BackendUnavailable):
                await running.predict()
            waited = loop.time() - began
            began = loop.time()
            with pytest.raises(BackendUnavailable):
                await running.predict()
            assert 0.5 < waited < 2
            assert loop.time() - began < 0.1

    asyncio.run(scenario())


def test_waiting_for_a_server_ends_with_the_deadline(ground: Any) -> None:
    """The call says so."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            await on.until(lambda: pods[0].polls > 0)
            pods[0].kill()
            with pytest.raises(DeadlineExceeded):
                await running.predict(within_s=0.1)
            with pytest.raises(DeadlineExceeded):
                await running.predict(within_s=-1)

    asyncio.run(scenario())
