"""From logits to calibrated scores.

The exported graph holds the same formulas; what is evaluated here is what will be served.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax

from pictor_contract.contract import Head


def scores_from_logits(logits: ArrayLike, head: Head, temperature: float) -> NDArray[np.float64]:
    """Return one score per label, [n, labels]: softmax or sigmoid of logits / temperature.

    The single unit of a binary head speaks for the second label and gives [1 - p, p]. Double precision.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    if head == "multiclass":
        return np.asarray(softmax(scaled, axis=1), np.float64)
    if head == "binary":
        # expit(-z), not 1 - expit(z): the small one of the two keeps its digits
        return np.concatenate([expit(-scaled), expit(scaled)], axis=1)
    return np.asarray(expit(scaled), np.float64)
