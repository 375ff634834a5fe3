"""When a call starts beside one that is under way."""

from gateway.batching_bench import Bench, finish, learn, on_bench, settle, until
from gateway.fakes import HeldModel


def test_a_full_batch_does_not_wait_for_the_call_before_it() -> None:
    """While calls are under way, as many more may start as the backend takes."""
    model = HeldModel(parallel_calls=2)

    async def test(bench: Bench) -> None:
        learn(bench, model)
        requests = [bench.ask(0)]
        await settle()
        requests.append(bench.ask(*range(1, 8)))
        await settle()
        assert [1] == [len(call.numbers) for call in model.calls]  # seven wait for an eighth
        requests.append(bench.ask(8))
        await settle()
        assert [1, 8] == [len(call.numbers) for call in model.calls]
        requests.append(bench.ask(*range(9, 20)))
        await settle()
        assert 2 == len(model.calls)  # nobody takes a third
        await finish(model, requests)

    on_bench(model, test)


def test_the_number_of_calls_follows_the_backend() -> None:
    """A server that came takes calls at once, one that went takes no more."""
    model = HeldModel(parallel_calls=4)

    async def test(bench: Bench) -> None:
        requests = []
        for number in range(6):
            requests.append(bench.ask(number))
            await settle()
        assert 4 == len(model.calls)
        model.parallel_calls = 1
        model.calls[0].end()
        await settle()
        assert 4 == len(model.calls)
        for call in model.calls[1:4]:
            call.end()
        await settle()
        assert [4, 5] == model.calls[4].numbers
        await finish(model, requests)

    on_bench(model, test)


def test_where_batches_are_cheap_a_picture_waits_for_company() -> None:
    """But no longer than about a call takes, and only while the model is at work anyway."""
    model = HeldModel(parallel_calls=2)

    async def test(bench: Bench) -> None:
        learn(bench, model, seconds=0.05)
        requests = [bench.ask(1)]
        await settle()
        requests += [bench.ask(2), bench.ask(3)]
        await settle()
        assert 1 == len(model.calls)
        await until(lambda: len(model.calls) == 2)
        assert [2, 3] == model.calls[1].numbers
        await finish(model, requests)

    on_bench(model, test)


def test_a_tight_deadline_does_not_wait_for_company() -> None:
    """The call starts when it must to be in time."""
    model = HeldModel(parallel_calls=2)

    async def test(bench: Bench) -> None:
        learn(bench, model, seconds=10.0)
        requests = [bench.ask(1)]
        await settle()
        requests.append(bench.ask(2))
        await settle()
        assert 1 == len(model.calls)
        requests.append(bench.ask(3, timeout_s=9.0))
        await settle()
        assert [2, 3] == model.calls[1].numbers
        await finish(model, requests)

    on_bench(model, test)


def test_where_batches_are_no_cheaper_nobody_waits() -> None:
    """On a processor an idle core is time lost."""
    model = HeldModel(parallel_calls=2)

    async def test(bench: Bench) -> None:
        learn(bench, model, cheap=False)
        requests = [bench.ask(1)]
        await settle()
        requests.append(bench.ask(2))
        await settle()
        assert [[1], [2]] == [call.numbers for call in model.calls]
        await finish(model, requests)

    on_bench(model, test)
