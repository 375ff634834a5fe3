"""Figures of the scores themselves, before any decision: likelihood, squared error, ranking."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from pictor_contract.contract import Head

_LEAST = float(np.finfo(np.float64).eps)
"""A score of exactly 0 for the truth would cost infinitely much; scikit-learn's log_loss has this floor."""


def negative_log_likelihood(scores: NDArray[np.float64], present: NDArray[np.bool_], head: Head) -> float:
    """Mean of -log(score of the truth): per picture, or per label decision with a multilabel head."""
    if head == "multilabel":
        truth = np.where(present, scores, 1 - scores)
        return float(-np.log(np.maximum(truth, _LEAST)).mean())
    return float(-np.log(np.maximum(scores[present], _LEAST)).mean())


def brier(scores: NDArray[np.float64], present: NDArray[np.bool_], head: Head) -> float:
    """Mean squared error of the scores (G. W. Brier, Monthly Weather Review 78, 1950).

    Multi-class: summed over the labels, 0 to 2. Binary and multilabel: per decision, 0 to 1.
    """
    squares = np.square(scores - present)
    return float(squares.sum(axis=1).mean() if head == "multiclass" else squares.mean())


def roc_auc(scores: NDArray[np.float64], present: NDArray[np.bool_]) -> float | None:
    """Area under one label's ROC curve against all others; None unless it is both present and absent."""
    if present.all() or not present.any():
        return None
    return float(roc_auc_score(present, scores))


def average_precision(scores: NDArray[np.float64], present: NDArray[np.bool_]) -> float | None:
    """Area under one label's precision-recall curve, by steps; None if the label never occurs."""
    if not present.any():
        return None
    return float(average_precision_score(present, scores))


def top_k_accuracy(scores: NDArray[np.float64], present: NDArray[np.bool_]) -> dict[int, float]:
    """Share of pictures whose label is among the k highest scores; k = 2, 3, 5 below the number of labels."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(present, order, axis=1).cumsum(axis=1)
    return {k: float(hits[:, k - 1].mean()) for k in (2, 3, 5) if k < scores.shape[1]}
