"""What fails in a batch, and whom it concerns."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.batching_bench import Bench, learn, numbers_in, on_bench, settle
from gateway.fakes import FakeModel, HeldModel, numbers_of, scores_by_number
from pictor_gateway.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    InferenceFailed,
    Overloaded,
    VersionGone,
)


def test_one_bad_picture_fails_alone() -> None:
    """A batch that the model refuses is tried apart until the bad one stands alone."""
    sizes: list[int] = []

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(pictures))
        if 5 in numbers_of(pictures):
            raise InferenceFailed("five is not for me")
        return scores_by_number(pictures)

    async def test(bench: Bench) -> None:
        expected = [InferenceFailed if number == 5 else number for number in range(8)]
        assert expected == numbers_in(await bench.ask(*range(8)))
        assert [8, 4, 4, 2, 2, 1, 1] == sizes
        assert 6 == bench.number("pictor_retries_total", reason="split")

    on_bench(FakeModel(answer), test)


def test_a_server_that_takes_smaller_batches_gets_smaller_ones() -> None:
    """Its own limit is below the contract's: it is met once, and then kept."""
    sizes: list[int] = []

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(pictures))
        if len(pictures) > 2:
            raise InferenceFailed("Task size is larger than maximum input batch size 2")
        return scores_by_number(pictures)

    async def test(bench: Bench) -> None:
        assert list(range(8)) == numbers_in(await bench.ask(*range(8)))
        assert [8, 4, 4, 2, 2, 2, 2] == sizes
        assert list(range(8)) == numbers_in(await bench.ask(*range(8)))
        assert [2, 2, 2, 2] == sizes[7:]

    on_bench(FakeModel(answer), test)


def test_a_model_that_fails_at_everything_is_not_asked_ever_more() -> None:
    """Trying apart has a limit, and after it came to nothing batches fail whole for a moment."""
    sizes: list[int] = []

    def broken(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(pictures))
        raise InferenceFailed("no")

    async def test(bench: Bench) -> None:
        assert [InferenceFailed] * 8 == numbers_in(await bench.ask(*range(8)))
        assert 13 == len(sizes)  # one, and four for each of the three times that eight can be halved
        for _ in range(5):
            assert [InferenceFailed] * 8 == numbers_in(await bench.ask(*range(8)))
        assert 13 + 5 == len(sizes)
        bench.batches._experience_of(bench.model).split_again = 0.0  # the moment is over
        await bench.ask(1, 2)
        assert [2, 1, 1] == sizes[-3:]

    on_bench(FakeModel(broken), test)


def test_scores_that_are_no_numbers_fail_alone() -> None:
    """The rest of the batch is answered, without another call."""

    def answer(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores = scores_by_number(pictures)
        scores[1, 1], scores[3, 0] = np.nan, np.inf
        return scores

    async def test(bench: Bench) -> None:
        answers = numbers_in(await bench.ask(*range(5)))
        assert [0, InferenceFailed, 2, InferenceFailed, 4] == answers
        assert 1 == bench.number("pictor_batch_size_count")

    on_bench(FakeModel(answer), test)


@pytest.mark.parametrize(
    "error",
    [
        VersionGone("gone"),
        BackendUnavailable("nobody"),
        Overloaded("full"),
        DeadlineExceeded("inference"),
        KeyError("unexpected"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_concerns_everybody_reaches_everybody(error: Exception) -> None:
    """Each request of the call gets the error, and nothing is tried apart."""
    model = HeldModel()

    async def test(bench: Bench) -> None:
        learn(bench, model)
        first = bench.ask(1)
        await settle()
        others = [bench.ask(2, 3), bench.ask(4)]
        await settle()
        model.calls[0].end()
        await settle()
        model.calls[1].end(error)
        for other in others:
            with pytest.raises(type(error)):
                await other
        assert [1] == numbers_in(await first)
        assert 2 == len(model.calls)

    on_bench(model, test)
