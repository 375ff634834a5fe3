"""The fleet against servers that are processes: killed, stopped and started again for real."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import uvloop

from colours import colour_scores
from pictor_gateway.request.deadline import Deadline
from pictor_tfs.messages import PREDICT, images_request, read_scores

PICTURES = np.random.default_rng(7).integers(0, 256, (2, 8, 8, 3), np.uint8)
PATIENCE_S = 20


async def load_meanwhile(running: Any, happens: Callable[[], Awaitable[None]]) -> int:
    """Ask without pause until `happens` is over; return how many answers came, all of them right."""
    request = images_request("colours", 1, PICTURES)
    over = asyncio.Event()
    answers = 0

    async def ask() -> None:
        nonlocal answers
        while not over.is_set():
            answer, _ = await running.fleet.call(
                PREDICT, request, Deadline.after(PATIENCE_S), lambda server: True
            )
            np.testing.assert_allclose(
                read_scores(answer, 2, 3), colour_scores(PICTURES, 10.0), rtol=1e-5, atol=1e-6
            )
            answers += 1

    async def watch() -> None:
        try:
            await happens()
        finally:
            over.set()

    await asyncio.gather(watch(), *(ask() for _ in range(4)))
    return answers


@pytest.mark.parametrize(("end", "patience_s"), [("kill", 3.0), ("hang", 0.5)])
def test_one_of_two_servers_ends_and_comes_back_under_load(
    ground: Any, tfs_process: Any, end: str, patience_s: float
) -> None:
    """No call fails, no answer is wrong, and the server gets work again soon after its return."""
    first, second = tfs_process(), tfs_process()

    async def scenario() -> None:
        async with ground() as on:
            running = await on.fleet([first, second], tfs_probe_timeout_s=patience_s)
            server = running.server(second)
            run = asyncio.get_running_loop().run_in_executor

            async def happens() -> None:
                await on.until(lambda: server.turn > 50)
                await run(None, second.kill if end == "kill" else second.hang)
                await on.until(lambda: not server.usable)
                await run(None, second.start if end == "kill" else second.go_on)
                await on.until(lambda: server.usable)
                returned = server.turn
                await on.until(lambda: server.turn > returned + 50)

            assert await load_meanwhile(running, happens) > 50
            assert server.ejections >= 1

    uvloop.run(scenario())
