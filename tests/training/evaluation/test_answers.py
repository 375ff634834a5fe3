"""From logits to scores."""

import numpy as np
from sklearn.metrics import log_loss

from pictor_training.evaluation import scores_from_logits


def test_a_binary_head_gives_both_labels_their_score() -> None:
    """One unit z speaks for the second label: [1 - p, p] with p = sigmoid(z / T)."""
    scores = scores_from_logits([[0.0], [2 * np.log(3)]], "binary", 2.0)
    np.testing.assert_allclose([[0.5, 0.5], [0.25, 0.75]], scores)


def test_a_multiclass_head_gives_scores_that_sum_to_one() -> None:
    """Softmax of the logits divided by the temperature."""
    scores = scores_from_logits([[0.0, 2 * np.log(2), 2 * np.log(5)]], "multiclass", 2.0)
    np.testing.assert_allclose([[1 / 8, 2 / 8, 5 / 8]], scores)


def test_a_multilabel_head_scores_each_label_by_itself() -> None:
    """Sigmoid of each logit divided by the temperature."""
    scores = scores_from_logits([[0.0, np.log(3), -np.log(3)]], "multilabel", 1.0)
    np.testing.assert_allclose([[0.5, 0.75, 0.25]], scores)


def test_extreme_logits_neither_overflow_nor_vanish() -> None:
    """A logit of 1e4 gives 1, and the other label's tiny score keeps its digits."""
    huge = scores_from_logits([[1e4, -1e4, 0.0]], "multiclass", 1.0)
    np.testing.assert_array_equal([[1.0, 0.0, 0.0]], huge)
    small = scores_from_logits([[40.0]], "binary", 1.0)
    np.testing.assert_allclose(np.exp(-40), small[0, 0])


def test_scores_agree_with_the_loss_another_library_computes() -> None:
    """-log of the true label's score is scikit-learn's log_loss."""
    logits = np.random.default_rng(3).normal(size=(50, 4))
    truth = np.arange(50) % 4
    scores = scores_from_logits(logits, "multiclass", 1.3)
    assert np.isclose(log_loss(truth, scores), -np.log(scores[np.arange(50), truth]).mean())
