"""Pictures of all requests share the calls of a model, and nothing else."""

import asyncio
import gc
import weakref
from threading import current_thread

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.batching_bench import Bench, finish, learn, numbers_in, on_bench, settle, until
from gateway.fakes import FakeModel, HeldModel, make_pixels, scores_by_number
from pictor_contract import ImageContract, PictureInput
from pictor_gateway.errors import DeadlineExceeded, Overloaded
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.facts import RequestFacts


def test_a_lone_picture_is_asked_at_once() -> None:
    """No timer, no company waited for."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        answer = bench.ask(7)
        await settle()
        assert [[7]] == [call.numbers for call in model.calls]
        model.calls[0].end()
        assert [7] == numbers_in(await answer)

    on_bench(model, test)


def test_what_comes_during_a_call_shares_the_next_one() -> None:
    """First come, first served, across requests; each gets its own answers."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        first = bench.ask(1)
        await settle()
        others = [bench.ask(2, 3), bench.ask(4)]
        await settle()
        assert [[1]] == [call.numbers for call in model.calls]
        assert 3 == bench.number("pictor_queued_pictures")
        model.calls[0].end()
        await settle()
        assert [2, 3, 4] == model.calls[1].numbers
        model.calls[1].end()
        assert [[1], [2, 3], [4]] == [numbers_in(await one) for one in [first, *others]]
        assert 2 == bench.number("pictor_batch_size_count")
        assert 4 == bench.number("pictor_queue_wait_seconds_count")

    on_bench(model, test)


@pytest.mark.parametrize(("most", "expected"), [(None, [8, 2]), (3, [3, 3, 3, 1]), (100, [8, 2])])
def test_no_call_has_more_pictures_than_allowed(most: int | None, expected: list[int]) -> None:
    """The model's largest batch, or the setting where that is less; the rest is answered all the same."""
    sizes: list[int] = []

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(pictures))
        return scores_by_number(pictures)

    async def test(bench: Bench) -> None:
        assert list(range(10)) == numbers_in(await bench.ask(*range(10)))
        assert expected == sizes

    on_bench(FakeModel(answer), test, most_in_batch=most)


def test_what_is_too_late_costs_no_call() -> None:
    """A picture whose time ran out in line is refused there; its neighbours are asked."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        requests = [bench.ask(1)]
        await settle()
        late = bench.ask(2, timeout_s=0.01)
        requests.append(bench.ask(3))
        await settle()
        passed = Deadline.after(0.01)
        await until(lambda: passed.left_s() <= 0)
        await finish(model, requests)
        with pytest.raises(DeadlineExceeded, match="'queue'"):
            await late
        assert [[1], [3]] == [call.numbers for call in model.calls]

    on_bench(model, test)


def test_what_was_given_up_costs_no_call() -> None:
    """A cancelled request leaves the line at once, and a call that nobody waits for is cancelled."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        first = bench.ask(1, 2)
        await settle()
        second, third = bench.ask(3), bench.ask(4)
        await settle()
        second.cancel()
        await settle()
        assert 1 == bench.number("pictor_queued_pictures")
        first.cancel()
        await settle()
        assert model.calls[0].outcome.cancelled()
        assert [4] == model.calls[1].numbers
        await finish(model, [third])

    on_bench(model, test)


def test_a_call_goes_on_while_somebody_waits_for_it() -> None:
    """One of two requests in it is given up; the other gets its answer."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        first = bench.ask(1)
        await settle()
        leaving, staying = bench.ask(2), bench.ask(3)
        await settle()
        model.calls[0].end()
        await settle()
        leaving.cancel()
        await settle()
        model.calls[1].end()
        assert [[1], [3]] == [numbers_in(await one) for one in (first, staying)]

    on_bench(model, test)


def test_a_call_has_the_latest_deadline_and_the_first_trace_of_its_members() -> None:
    """Whoever has less time has a limit of its own."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        requests = [bench.ask(1)]
        await settle()
        requests += [bench.ask(2, timeout_s=5, traceparent="first"), bench.ask(3, timeout_s=20)]
        await settle()
        model.calls[0].end()
        await settle()
        assert 15 < model.calls[1].deadline.left_s() < 20
        assert "first" == model.calls[1].traceparent
        await finish(model, requests)

    on_bench(model, test)


def test_too_many_pictures_in_line_are_refused() -> None:
    """The refusal says when to come again, and the line stays as it is; an empty one takes any request."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        requests = [bench.ask(*range(12))]  # more than the line may hold, but eight of them are asked at once
        await settle()
        assert 4 == bench.number("pictor_queued_pictures")
        with pytest.raises(Overloaded) as refused:
            await bench.ask(12, 13)
        assert "1" == refused.value.headers()["Retry-After"]
        assert 1 == bench.number("pictor_shed_total", reason="queue")
        requests.append(bench.ask(14))
        await settle()
        assert 5 == bench.number("pictor_queued_pictures")
        await finish(model, requests)

    on_bench(model, test, most_queued=5)


def test_versions_are_not_mixed_and_let_go_when_they_are_done() -> None:
    """A version that is served no more must not be kept in memory by its line."""

    async def test(bench: Bench) -> None:
        newer = HeldModel(version=2)
        requests = [bench.ask(1), bench.ask(2)]
        await settle()
        facts, deadline = RequestFacts("an id"), Deadline.after(30)
        requests.append(asyncio.create_task(bench.batches.predict(newer, [make_pixels(3)], deadline, facts)))
        await settle()
        assert [[1]] == [call.numbers for call in model.calls]
        assert [[3]] == [call.numbers for call in newer.calls]
        newer.calls[0].end()
        await finish(model, requests)
        gone = weakref.ref(newer)
        requests.clear()
        del newer
        gc.collect()
        assert gone() is None

    model = HeldModel()
    on_bench(model, test)


@pytest.mark.parametrize(
    ("sent", "handed_on"),
    [(("", "a-00", "b-01", "c-01"), "b-01"), (("", "a-00", "b-00", ""), "a-00"), (("", "", "", ""), "")],
)
def test_a_trace_that_is_recorded_goes_before_the_others(sent: tuple[str, ...], handed_on: str) -> None:
    """One call carries one trace: of those that nobody records, any will do."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        requests = [bench.ask(0)]
        await settle()
        requests += [bench.ask(number, traceparent=one) for number, one in enumerate(sent, 1)]
        await settle()
        model.calls[0].end()
        await settle()
        assert handed_on == model.calls[1].traceparent
        await finish(model, requests)

    on_bench(model, test)


def test_a_large_batch_is_put_together_off_the_event_loop() -> None:
    """A small one is not worth a thread's turn."""
    contract = ImageContract("large", ("no", "yes"), "binary", PictureInput(256, 256))
    threads: list[str] = []
    stack = np.stack

    def watched(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        threads.append(current_thread().name.rstrip("_0"))
        return stack(pictures)

    async def test(bench: Bench) -> None:
        facts, deadline = RequestFacts("an id"), Deadline.after(30)
        for pictures in (1, 2, 4):
            pixels = [np.full((256, 256, 3), number, np.uint8) for number in range(pictures)]
            answers = await bench.batches.predict(bench.model, pixels, deadline, facts)
            assert list(range(pictures)) == numbers_in(answers)
        assert ["MainThread", "pictor-stack"] == threads

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pictor_gateway.inference.model_call.np.stack", watched)
        on_bench(FakeModel(contract=contract), test)
