"""Which calls are repeated, where, how often, and which never."""

import asyncio
from typing import Any

import grpc
import pytest

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed

CALM = {"tfs_probe_timeout_s": 30}
"""No silence is long enough for a test."""

BATCHING_FULL = "The batch scheduling queue to which this task was submitted is full; currently 2 batches"


def test_a_retry_has_only_the_time_that_is_left(ground: Any) -> None:
    """The server is told so, and the call ends with the request's deadline."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **CALM)
            left_s = []

            async def busy_late(request: bytes, context: Any) -> bytes:
                left_s.append(context.time_remaining())
                await asyncio.sleep(0.2)
                return await on.refusing("RESOURCE_EXHAUSTED")(request, context)

            async def hangs(request: bytes, context: Any) -> bytes:
                left_s.append(context.time_remaining())
                return await on.silent(request, context)

            pods[0].answer, pods[1].answer = busy_late, hangs
            with pytest.raises(CallFailed) as raised:
                await running.predict(within_s=0.5)
            assert "late" == raised.value.kind
            assert 0.3 < left_s[0] <= 0.5
            assert 0 < left_s[1] <= 0.3

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "text"),
    [("UNAVAILABLE", BATCHING_FULL), ("RESOURCE_EXHAUSTED", "too many calls")],
)
def test_a_busy_server_is_not_ejected_and_another_is_asked(ground: Any, code: str, text: str) -> None:
    """Full is not ill. When all are full the call says so at once."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = on.refusing(code, text)
            assert {"127.0.0.2"} == {await running.predict() for _ in range(6)}
            assert 1 == running.count(
                "pictor_retries_total", reason="busy"
            )  # then it is left alone for a moment
            pods[1].answer = pods[0].answer
            with pytest.raises(CallFailed) as raised:
                await running.predict()
            assert "busy" == raised.value.kind
            assert 3 == running.count("pictor_backend_calls_total", code=code)
            assert [0, 0] == [server.ejections for server in running.fleet.servers]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "text", "meant"),
    [
        ("NOT_FOUND", "Servable not found for request: Latest(m)", "NOT_FOUND"),
        ("INVALID_ARGUMENT", "Task size 5 is larger than maximum input batch size 4", "OUT_OF_RANGE"),
    ],
)
def test_what_another_server_would_answer_no_better_is_not_repeated(
    ground: Any, code: str, text: str, meant: str
) -> None:
    """The code and the kind tell the caller what it was."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = pods[1].answer = on.refusing(code, text)
            with pytest.raises(CallFailed) as raised:
                await running.predict()
            assert (grpc.StatusCode[meant], text, "refused") == (
                raised.value.code,
                raised.value.details,
                raised.value.kind,
            )
            assert 1 == sum(len(pod.requests) for pod in pods)
            assert [True, True] == [server.usable for server in running.fleet.servers]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("FAILED_PRECONDITION", "Could not find variable"),
        ("INVALID_ARGUMENT", ""),
        ("PERMISSION_DENIED", ""),
        ("DEADLINE_EXCEEDED", "Timed out waiting for notification"),
        ("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue"),
        ("INTERNAL", ""),
        ("RESOURCE_EXHAUSTED", "OOM when allocating tensor with shape[32,64,64,64]"),
    ],
)
def test_what_a_sick_server_cannot_answer_another_one_is_asked(ground: Any, code: str, text: str) -> None:
    """Once: what two servers cannot answer is no matter of the server."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(3)
            running = await on.fleet(pods, **CALM)
            pods[0].answer = on.refusing(code, text)
            told: list[CallFailed] = []
            for _ in range(3):
                await running.predict(failed=told.append)
            assert {pods[0].address} == {failure.server.address for failure in told}
            retries = sum(
                running.count("pictor_retries_total", reason=reason) for reason in ("failed", "late")
            )
            assert len(told) == retries >= 1
            for pod in pods:
                pod.answer = on.refusing(code, text)
            before = sum(len(pod.requests) for pod in pods)
            with pytest.raises(CallFailed):
                await running.predict()
            assert 2 == sum(len(pod.requests) for pod in pods) - before

    asyncio.run(scenario())


def test_a_batch_that_took_down_two_servers_is_not_sent_to_a_third(ground: Any) -> None:
    """It may be what kills them."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(3)
            running = await on.fleet(pods, **CALM)
            await on.until(lambda: all(pod.polls for pod in pods))

            async def dies(request: bytes, context: Any) -> bytes:
                next(pod for pod in pods if pod.requests[-1:] == [request] and pod not in dead).kill()
                dead.extend(pod for pod in pods if pod.requests)
                return b""

            dead: list[object] = []
            for pod in pods:
                pod.answer = dies
            with pytest.raises(CallFailed) as raised:
                await running.predict(b"poison")
            assert "gone" == raised.value.kind
            assert [0, 1, 1] == sorted(len(pod.requests) for pod in pods)
            assert 1 == sum(server.usable for server in running.fleet.servers)

    asyncio.run(scenario())


def test_servers_that_were_dead_before_do_not_count_as_taken_down(ground: Any) -> None:
    """A call finds the one that lives."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(3)
            for pod in pods[:2]:
                pod.kill()
            running = await on.fleet(pods, **CALM)
            assert {"127.0.0.3"} == {await running.predict() for _ in range(3)}

    asyncio.run(scenario())


def test_without_retries_the_first_failure_is_the_last(ground: Any) -> None:
    """--tfs-retry-ratio 0."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, tfs_retry_ratio=0, **CALM)
            pods[0].answer = pods[1].answer = on.refusing("UNAVAILABLE", BATCHING_FULL)
            with pytest.raises(CallFailed):
                await running.predict()
            assert 1 == sum(len(pod.requests) for pod in pods)

    asyncio.run(scenario())


def test_retries_stop_when_the_budget_is_spent(ground: Any) -> None:
    """Ten at the start, then the set share of the calls: no storm of retries."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, tfs_retry_ratio=0.1, **CALM)
            pods[0].answer = pods[1].answer = on.refusing("RESOURCE_EXHAUSTED")
            failures = await running.load(100, at_once=1)
            assert {CallFailed} == {type(failure) for failure in failures}
            assert 19 <= running.count("pictor_retries_total", reason="busy") <= 20

    asyncio.run(scenario())
