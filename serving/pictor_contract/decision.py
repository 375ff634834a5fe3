"""Which labels an answer stands for, given its scores: one rule for the report and for production."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract.contract import Head

DECISION_THRESHOLD: Final = 0.5
"""The calibrated score from which a label counts as present where a contract says nothing else."""


def decide(scores: NDArray[np.floating], head: Head, thresholds: tuple[float, ...] = ()) -> NDArray[np.bool_]:
    """Return which labels are answered, [n, labels], for `scores` [n, labels].

    Multilabel: every label that reaches its threshold. Otherwise at most one: the highest score among those
    that reach theirs, the first of equal ones, none where the model is not sure enough. Without `thresholds`
    a multilabel score must reach `DECISION_THRESHOLD`, and any other need reach nothing.
    """
    least = thresholds or (DECISION_THRESHOLD if head == "multilabel" else 0.0,) * scores.shape[1]
    present = scores >= np.asarray(least, dtype=scores.dtype)
    if head == "multilabel":
        return present
    decided = np.zeros(scores.shape, np.bool_)
    decided[np.arange(len(scores)), np.where(present, scores, -1.0).argmax(axis=1)] = True
    return decided & present
