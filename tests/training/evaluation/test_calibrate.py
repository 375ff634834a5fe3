"""The temperature makes scores mean what they say, and never more than the pictures can vouch for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_training.evaluation import calibrate, fit_temperature, scores_from_logits
from pictor_training.evaluation.calibrate import BOUNDS

UNITS = {"binary": 1, "multiclass": 5, "multilabel": 5}


def _drawn(
    head: Head, temperature: float, count: int, seed: int = 5
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Logits, and targets drawn from the scores that these logits have at `temperature`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3.0 * temperature, size=(count, UNITS[head]))
    scores = scores_from_logits(logits, head, temperature)
    if head == "multilabel":
        return logits, (rng.random(scores.shape) < scores).astype(np.float32)
    drawn = (rng.random((count, 1)) > scores.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return logits, np.eye(scores.shape[1], dtype=np.float32)[drawn]


def _separated(count: int, margin: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    targets = np.eye(3, dtype=np.float32)[np.arange(count) % 3]
    return margin * targets.astype(np.float64), targets


@pytest.mark.parametrize("head", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_recovered(head: Head, planted: float) -> None:
    """Bolder or more careful, every head: within 10 % from 6000 pictures, and the likelihood improves."""
    found = calibrate(*_drawn(head, planted, 6000), head)
    assert planted == pytest.approx(found.temperature, rel=0.1)
    assert found.nll_before is not None
    assert found.nll_after is not None
    assert found.nll_after <= found.nll_before


def test_calibration_error_falls_and_both_sides_are_recorded() -> None:
    """Scores three times too bold: the error before is large, afterwards near what chance explains."""
    found = calibrate(*_drawn("multiclass", 3.0, 4000), "multiclass")
    assert found.before is not None
    assert found.after is not None
    assert found.before.ece > 0.1
    assert found.after.ece < 2 * found.after.ece_by_chance
    assert found.reason == "fitted on the validation pictures"


def test_a_set_without_mistakes_does_not_buy_absurd_confidence() -> None:
    """The likelihood alone would run to the smallest T; the mean confidence stops at (n + 1) / (n + 2)."""
    logits, targets = _separated(60, 2.0)
    found = calibrate(logits, targets, "multiclass")
    scores = scores_from_logits(logits, "multiclass", found.temperature)
    assert BOUNDS[0] < found.temperature < 1
    assert pytest.approx(scores.max(axis=1).mean(), abs=1e-6) == 61 / 62


def test_scores_that_are_bolder_than_the_pictures_allow_are_left_alone() -> None:
    """Thirty right answers at 99.99 % are no reason to become bolder, nor a proof of boldness: T stays 1."""
    assert fit_temperature(*_separated(30, 10.0), "multiclass") == 1.0


@pytest.mark.parametrize("count", [1, 5, 19])
def test_too_few_pictures_change_nothing(count: int) -> None:
    """Nineteen pictures cannot judge scores; the record says so."""
    found = calibrate(*_drawn("multiclass", 4.0, count), "multiclass")
    assert found.temperature == 1.0
    assert "too few" in found.reason


def test_no_pictures_change_nothing() -> None:
    """Without validation pictures there is no figure either."""
    found = calibrate(np.zeros((0, 3)), np.zeros((0, 3), np.float32), "multiclass")
    assert (found.temperature, found.pictures, found.nll_before, found.after) == (1.0, 0, None, None)


@pytest.mark.parametrize("head", ["binary", "multiclass"])
def test_pictures_of_one_class_change_nothing(head: Head) -> None:
    """They say nothing about the scores of the other class."""
    logits, targets = _drawn(head, 1.0, 50)
    targets = np.eye(targets.shape[1], dtype=np.float32)[np.ones(50, np.int64)]
    found = calibrate(logits, targets, head)
    assert found.temperature == 1.0
    assert "one class" in found.reason


def test_logits_without_information_stop_at_the_bound() -> None:
    """Confident noise is softened as far as the bound, and the record says what that means."""
    rng = np.random.default_rng(2)
    targets = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 400)]
    found = calibrate(-50.0 * targets, targets, "multiclass")
    assert BOUNDS[1] == pytest.approx(found.temperature, rel=0.01)
    assert "next to nothing" in found.reason
