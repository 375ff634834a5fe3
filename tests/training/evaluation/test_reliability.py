"""Bins and calibration error."""

import numpy as np
import pytest

from pictor_training.evaluation.reliability import reliability


def test_every_answer_lies_in_one_bin() -> None:
    """Bins are (low, high]; scores of exactly 0 and 1 have their place."""
    scores = np.array([[1.0, 0.0, 0.2, 0.2001]])
    found = reliability(scores, np.ones((1, 4), np.float32), "multilabel")
    counts = {round(one.high, 3): one.count for one in found.bins if one.count}
    assert counts == {0.067: 1, 0.2: 1, 0.267: 1, 1.0: 1}


def test_the_error_is_the_weighted_gap() -> None:
    """Ten answers at 0.75 of which five are right, ten at 0.95 all right."""
    confidence = np.repeat([0.75, 0.95], 10)
    scores = np.stack([confidence, 1 - confidence], axis=1)
    truth = np.array([0, 1] * 5 + [0] * 10)
    found = reliability(scores, np.eye(2, dtype=np.float32)[truth], "binary")
    assert pytest.approx(found.ece) == 0.5 * 0.25 + 0.5 * 0.05


def test_chance_explains_the_error_of_perfect_scores() -> None:
    """Truth drawn from the scores themselves: the error is what `ece_by_chance` foretells."""
    rng = np.random.default_rng(8)
    scores = rng.random((500, 1))
    drawn = [
        reliability(scores, (rng.random((500, 1)) < scores).astype(np.float32), "multilabel")
        for _ in range(50)
    ]
    assert np.mean([one.ece for one in drawn]) == pytest.approx(drawn[0].ece_by_chance, rel=0.1)
