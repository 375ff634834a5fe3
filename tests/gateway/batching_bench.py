"""Batches on an event loop of their own, and requests that bring pictures to them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.fakes import FakeModel, HeldModel, make_pixels
from pictor_gateway.errors import InferenceFailed
from pictor_gateway.inference.batching import Batches
from pictor_gateway.inference.model_call import PictureAnswer
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.facts import RequestFacts
from pictor_gateway.telemetry.metrics import Metrics

Answers = list[PictureAnswer]


class Bench:
    """Batches, and requests that bring pictures to them."""

    def __init__(self, model: FakeModel, most_queued: int = 512, most_in_batch: int | None = None) -> None:
        self.model = model
        self.registry = CollectorRegistry()
        self.batches = Batches(most_queued, most_in_batch, Metrics(self.registry))

    def ask(self, *numbers: int, timeout_s: float = 30.0, traceparent: str = "") -> asyncio.Task[Answers]:
        """Begin a request with the pictures of these numbers."""
        facts = RequestFacts("an id", traceparent=traceparent)
        pictures = [make_pixels(number) for number in numbers]
        deadline = Deadline.after(timeout_s)
        return asyncio.create_task(self.batches.predict(self.model, pictures, deadline, facts))

    def number(self, name: str, **labels: str) -> float | None:
        """Return what a metric says."""
        return self.registry.get_sample_value(name, labels)


async def settle() -> None:
    """Let everything happen that can happen without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


def numbers_in(answers: Answers) -> list[object]:
    """Return each answer's number, or its error's class."""
    return [
        type(answer.scores) if isinstance(answer.scores, InferenceFailed) else int(answer.scores[0])
        for answer in answers
    ]


def on_bench(model: FakeModel, test: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    """Run `test`; at its end nothing may be left in line."""

    async def run() -> None:
        bench = Bench(model, **settings)
        await test(bench)
        await settle()
        assert 0 == bench.number("pictor_queued_pictures")
        assert {} == bench.batches._queues
        bench.batches.close()

    asyncio.run(run())


def learn(bench: Bench, model: FakeModel, *, seconds: float = 5.0, cheap: bool = True) -> None:
    """Let it be known how long calls take, and whether a batch is cheaper than its pictures one by one."""
    times = bench.batches._experience_of(model).times
    for size in (1, 2, 4, 8):
        times.note(size, seconds if cheap else seconds * size)


async def until(holds: Callable[[], bool]) -> None:
    """Wait on the loop until something holds."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nobody can tell it
            await asyncio.sleep(0.001)


async def finish(model: HeldModel, requests: list[asyncio.Task[Answers]]) -> None:
    """Let every call end that comes, until every request is answered."""
    everybody = asyncio.gather(*requests)
    while not everybody.done():
        for call in model.calls:
            if not call.outcome.done():
                call.end()
        await settle()
