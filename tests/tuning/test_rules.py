"""From figures to settings: each rule by itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from pictor_tfs.tuning.figures import Figures
from pictor_tfs.tuning.rules import Demand, NothingFits, Place, best_batch, tune

FiguresOf = Callable[..., Figures]

CPU: Final = Place(cpus=2)
DEMAND: Final = Demand(latency_s=0.2, deadline_s=10.0, gateways=10, calls=2)


@pytest.mark.parametrize(("latency_s", "best"), [(1.0, 8), (0.2, 8), (0.039, 4), (0.014, 2), (0.011, 1)])
def test_the_best_batch_is_the_smallest_that_loses_little(
    latency_s: float, best: int, figures_of: FiguresOf
) -> None:
    """Within the budget: what larger ones would gain does not count."""
    assert best == best_batch(figures_of(), latency_s).pictures


def test_no_batch_within_the_budget_is_refused(figures_of: FiguresOf) -> None:
    """With what one picture took."""
    with pytest.raises(NothingFits, match="One picture took 10 ms, more than --latency-ms 9"):
        tune(figures_of(), CPU, replace(DEMAND, latency_s=0.009))


def test_sizes_that_are_no_powers_of_two_are_not_chosen(figures_of: FiguresOf) -> None:
    """Each size is a shape that the server prepares."""
    assert 4 == best_batch(figures_of({1: 10.0, 4: 12.0, 5: 12.5, 6: 13.0}), 1.0).pictures


def test_the_largest_batch_is_never_less_than_the_warm_up_asks(figures_of: FiguresOf) -> None:
    """A version whose warm-up is refused does not load."""
    tuning = tune(figures_of(), CPU, DEMAND)
    assert (8, 32) == (tuning.best_batch, tuning.max_batch_size)
    assert (1, 2, 4, 8, 16, 32) == tuning.allowed_batch_sizes


@pytest.mark.parametrize(("trained_for", "largest"), [(1, 8), (8, 8), (9, 16), (32, 32), (48, 64)])
def test_models_trained_for_less_leave_the_choice_to_the_figures(
    trained_for: int, largest: int, figures_of: FiguresOf
) -> None:
    """The last allowed size is the largest batch, or nothing would load."""
    tuning = tune(figures_of(), CPU, replace(DEMAND, largest_batch=trained_for))
    assert largest == tuning.max_batch_size == tuning.allowed_batch_sizes[-1]


def test_a_lone_request_waits_for_nobody(figures_of: FiguresOf) -> None:
    """It would wait the whole timeout."""
    assert 0 == tune(figures_of(), CPU, DEMAND).batch_timeout_micros


def test_the_queue_ends_before_the_deadline(figures_of: FiguresOf) -> None:
    """The last batch of a full queue is done in time, and one more would not be."""
    tuning = tune(figures_of(), CPU, replace(DEMAND, deadline_s=1.0))
    batch_s, at_once = 0.155, 2
    assert (tuning.max_enqueued_batches / at_once + 1) * batch_s <= 1.0
    assert ((tuning.max_enqueued_batches + 1) / at_once + 1) * batch_s > 1.0


def test_the_queue_has_room_for_every_batch_thread(figures_of: FiguresOf) -> None:
    """However short the deadline."""
    assert 8 == tune(figures_of(), Place(cpus=8), replace(DEMAND, deadline_s=0.2)).max_enqueued_batches


def test_a_batch_that_takes_the_whole_deadline_is_refused(figures_of: FiguresOf) -> None:
    """Nobody would get an answer."""
    with pytest.raises(NothingFits, match="A batch of 32 takes 155 ms, no less than the deadline of 150 ms"):
        tune(figures_of(), CPU, replace(DEMAND, deadline_s=0.15))


def test_a_batch_beyond_the_figures_costs_as_much_for_each_picture(figures_of: FiguresOf) -> None:
    """128 pictures are taken to need four times as long as 32."""
    with pytest.raises(NothingFits, match="A batch of 128 takes 620 ms"):
        tune(figures_of(), CPU, replace(DEMAND, deadline_s=0.5, largest_batch=100))


def test_threads_are_the_cores_and_two_for_a_card(figures_of: FiguresOf) -> None:
    """One computes while the other copies; the cores serve the card."""
    cpu = tune(figures_of(), Place(cpus=4), DEMAND)
    gpu = tune(figures_of(), Place(cpus=4, gpu=True), DEMAND)
    lean = tune(figures_of(), Place(cpus=1, gpu=True), DEMAND)

    assert (4, 4, 4) == (cpu.num_batch_threads, cpu.intra_op_parallelism, cpu.inter_op_parallelism)
    assert (2, 4, 4) == (gpu.num_batch_threads, gpu.intra_op_parallelism, gpu.inter_op_parallelism)
    assert (2, 1, 2) == (lean.num_batch_threads, lean.intra_op_parallelism, lean.inter_op_parallelism)


@pytest.mark.parametrize(("gateways", "calls", "threads"), [(1, 1, 8), (1, 2, 8), (10, 2, 64), (30, 4, 256)])
def test_grpc_has_a_thread_for_every_call_there_can_be(
    gateways: int, calls: int, threads: int, figures_of: FiguresOf
) -> None:
    """Beside the calls of every gateway a look and a proof, and four for others."""
    tuning = tune(figures_of(), CPU, replace(DEMAND, gateways=gateways, calls=calls))
    assert threads == tuning.grpc_max_threads >= gateways * (calls + 2) + 4
