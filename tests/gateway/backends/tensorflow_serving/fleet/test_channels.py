"""How much goes over a channel, and what a channel never does by itself."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from pictor_contract import ImageContract, PictureInput
from pictor_gateway.backends.tensorflow_serving.channel import MOST_MESSAGE_BYTES, ChannelPlan, MessageLimits
from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_tfs.targets import Address

MIB = 1024 * 1024
CALM = {"tfs_probe_timeout_s": 30}


def contract(side: int, largest: int, labels: int = 2) -> ImageContract:
    """Return a contract of square colour pictures."""
    return ImageContract(
        name="m",
        labels=tuple(map(str, range(labels))),
        head="multiclass",
        input=PictureInput(height=side, width=side),
        allowed_batch_sizes=(1, largest),
        metrics={},
    )


def test_limits_follow_the_largest_batch_and_never_shrink() -> None:
    """Pixels one way, scores the other, and what is around them; protocol buffers set the end."""
    first = MessageLimits()
    assert MessageLimits(16 * MIB, 16 * MIB) == first
    assert first == first.with_room_for(contract(8, 4))
    large = first.with_room_for(contract(1000, 32, labels=1000))
    assert 32 * 1000 * 1000 * 3 < large.send < 32 * 1000 * 1000 * 3 + MIB
    assert 16 * MIB == large.receive
    assert large == large.with_room_for(contract(8, 4))
    assert MOST_MESSAGE_BYTES == first.with_room_for(contract(4000, 64)).send


def test_a_batch_that_the_contract_allows_goes_through(ground: Any) -> None:
    """Once the contract is known, and not before: the channel is opened anew while calls are under way."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(1)
            running = await on.fleet(pods, **CALM)
            pixels = bytes(17 * MIB)
            with pytest.raises(CallFailed) as raised:
                await running.predict(pixels)
            assert (grpc.StatusCode.OUT_OF_RANGE, "refused") == (raised.value.code, raised.value.kind)
            go_on = asyncio.Event()

            async def slow(request: bytes, context: Any) -> bytes:
                await go_on.wait()
                return b"slow"

            pods[0].answer = slow
            under_way = asyncio.create_task(running.predict())
            await on.until(lambda: len(pods[0].requests) == 1)
            running.fleet.make_room(contract(1000, 6))
            pods[0].answer = None
            assert "127.0.0.1" == await running.predict(pixels)
            go_on.set()
            assert "slow" == await under_way
            assert 0 == running.server(pods[0]).ejections

    asyncio.run(scenario())


def test_an_answer_over_the_limit_is_refused_before_it_fills_the_memory(ground: Any) -> None:
    """A server that answers too much is neither busy nor worth another try."""

    async def scenario() -> None:
        async with ground() as on:
            pods = await on.pods(2)
            running = await on.fleet(pods, **CALM)

            async def endless(request: bytes, context: Any) -> bytes:
                return bytes(17 * MIB)

            pods[0].answer = pods[1].answer = endless
            with pytest.raises(CallFailed) as raised:
                await running.predict()
            assert (grpc.StatusCode.OUT_OF_RANGE, "refused") == (raised.value.code, raised.value.kind)

    asyncio.run(scenario())


def test_channels_ignore_proxies_and_repeat_nothing_by_themselves() -> None:
    """A proxy for the outside world knows nothing of the cluster; retries are the fleet's alone."""
    plan = ChannelPlan(3.0)
    options = dict(plan.options(Address("ipv4:10.0.0.1:8500", "10.0.0.1:8500", "tfs")))
    assert (0, 0, 1) == (
        options["grpc.enable_http_proxy"],
        options["grpc.enable_retries"],
        options["grpc.keepalive_permit_without_calls"],
    )
    assert "tfs:8500" == options["grpc.default_authority"]
