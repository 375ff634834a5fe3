"""Intervals: known values, borders, and how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pictor_training.evaluation.averages import averages
from pictor_training.evaluation.intervals import Estimate, f1, mean, proportion, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (37, 38), (512, 1000)])
def test_wilson_is_what_another_library_computes(successes: int, trials: int) -> None:
    """Scipy's own Wilson interval, to twelve digits."""
    theirs = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    ours = wilson(successes, trials)
    assert (theirs.low, theirs.high) == pytest.approx((ours.low, ours.high), abs=1e-12)


def test_an_interval_never_leaves_zero_to_one_nor_its_own_value() -> None:
    """All counts up to forty."""
    for trials in range(1, 41):
        for successes in range(trials + 1):
            one = wilson(successes, trials)
            assert 0 <= one.low <= one.value <= one.high <= 1


def test_nothing_counted_is_undefined() -> None:
    """No trial, no picture of the class, no class: None, not zero and not a warning."""
    assert (proportion(0, 0), f1(0, 0, 0), mean([])) == (None, None, None)


def test_f1_is_two_thirds_where_half_of_the_union_is_right() -> None:
    """2 right, 3 of the class, 3 said to be: F1 = 4/6, J = 2/4."""
    found = f1(2, 3, 3)
    assert found is not None
    overlap = wilson(2, 4)
    assert (2 / 3, 2 * overlap.low / (1 + overlap.low)) == pytest.approx((found.value, found.low))


def test_the_mean_of_one_estimate_is_itself_and_of_many_is_surer() -> None:
    """Four equal independent estimates halve the distance to each limit."""
    one = Estimate(0.5, 0.3, 0.6)
    four = mean([one] * 4)
    assert mean([one]) == one
    assert four is not None
    assert pytest.approx((four.value, four.low, four.high)) == (0.5, 0.4, 0.55)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_wilson_holds_the_truth_nearly_95_times_in_100(share: float) -> None:
    """Two thousand seeded draws of forty pictures."""
    drawn = np.random.default_rng(11).binomial(40, share, 2000)
    held = np.mean([(one := wilson(int(k), 40)).low <= share <= one.high for k in drawn])
    assert 0.92 <= held <= 1.0


def _answers(
    rng: np.random.Generator, confusion: list[list[float]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(0, len(confusion), count)
    draw = rng.random((count, 1))
    answer = (draw > np.cumsum(confusion, axis=1)[truth][:, :-1]).sum(axis=1)
    eye = np.eye(len(confusion), dtype=bool)
    return eye[answer], eye[truth]


def test_intervals_of_f1_and_averages_hold_the_truth() -> None:
    """Sixty pictures of three classes, 150 seeded draws: each holds its truth at least 91 times in 100."""
    confusion = [[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.02, 0.03, 0.95]]
    rng = np.random.default_rng(4)
    exact = np.array(confusion) / 3
    true_f1 = 2 * np.diag(exact) / (exact.sum(axis=0) + exact.sum(axis=1))
    held = []
    for _ in range(150):
        decided, present = _answers(rng, confusion, 60)
        found = averages(decided, present, seed=1)
        first = f1(int((decided & present)[:, 0].sum()), int(present[:, 0].sum()), int(decided[:, 0].sum()))
        truths = (true_f1.mean(), np.diag(confusion).mean(), np.trace(exact), true_f1[0])
        estimates = (found.macro_f1, found.balanced_accuracy, found.micro_f1, first)
        held.append(
            [
                one is not None and one.low <= truth <= one.high
                for one, truth in zip(estimates, truths, strict=True)
            ]
        )
    assert (np.mean(held, axis=0) >= 0.91).all(), np.mean(held, axis=0)


def test_a_set_without_mistakes_still_has_an_interval() -> None:
    """A bootstrap alone would say 100 % to 100 %; twelve pictures cannot promise that."""
    eye = np.eye(3, dtype=bool)[np.arange(12) % 3]
    found = averages(eye, eye, seed=1)
    assert found.macro_f1 is not None
    assert found.macro_f1.value == found.macro_f1.high == 1.0
    assert found.macro_f1.low < 0.9


def test_the_same_seed_gives_the_same_interval() -> None:
    """And another seed a slightly different one."""
    rng = np.random.default_rng(9)
    decided, present = _answers(rng, [[0.7, 0.3], [0.4, 0.6]], 50)
    assert averages(decided, present, seed=3) == averages(decided, present, seed=3)
    assert averages(decided, present, seed=3) != averages(decided, present, seed=4)
