"""How certain an answer is, and which answers are the least certain of late."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.decision import DECISION_THRESHOLD

_REMEMBERED = 1000
"""Answers that the share is taken of."""

_FIRST = 200
"""Answers before any is called uncertain: of fewer, the least certain ones are chance."""

_LOOK_EVERY = 25
"""Answers after which the bound is found anew; to sort them for each would cost more than the choice."""


def certainty_of(contract: ImageContract, scores: NDArray[np.float32]) -> float:
    """Return how far the answer is from being another one: 0 for a toss-up."""
    if contract.head == "multilabel":
        least = np.asarray(contract.thresholds or (DECISION_THRESHOLD,) * len(scores), np.float32)
        return float(np.abs(scores - least).min())
    second, first = np.partition(scores, -2)[-2:]
    return float(first - second)


class LeastCertain:
    """Tells which answers of one version belong to the least certain share of its latest ones."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._latest: deque[float] = deque(maxlen=_REMEMBERED)
        self._seen = 0
        self._bound = -1.0  # below any

    def note(self, certainty: float) -> bool:
        """Take an answer in, and say whether it is one of them."""
        self._latest.append(certainty)
        self._seen += 1
        if self._seen >= _FIRST and self._seen % _LOOK_EVERY == 0:
            self._bound = float(np.quantile(np.fromiter(self._latest, np.float64), self._share))
        return certainty < self._bound or self._share >= 1
