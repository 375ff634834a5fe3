"""How far the scores can be believed: confidence against how often it was right."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_contract.decision import decide
from pictor_training.evaluation.intervals import Estimate, proportion

BINS: Final = 15
"""Equal-width bins (low, high], as in Guo et al.; the number makes an ECE comparable with published ones."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies in (low, high]; the figures are None in an empty bin."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: Estimate | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Expected calibration error with its bins.

    `ece_by_chance` is what perfectly calibrated scores would show with this many answers: an `ece` near it
    is no evidence of miscalibration.
    """

    ece: float
    ece_by_chance: float
    bins: tuple[Bin, ...]


def reliability(scores: NDArray[np.float64], targets: NDArray[np.float32], head: Head) -> Reliability:
    """Compare confidence and accuracy (C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017).

    An answer is a picture with the score of its answered label; with a multilabel head it is each label of
    each picture, its score against whether the label is present. At least one picture is needed.
    """
    confidence, right = _graded(scores, targets, head)
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count, confident, correct, spread = (
        np.bincount(place, weights=weight, minlength=BINS)
        for weight in (
            np.ones_like(confidence),
            confidence,
            right.astype(np.float64),
            confidence * (1 - confidence),
        )
    )
    # The mean absolute value of a normal deviate is sqrt(2/pi) of its standard deviation.
    by_chance = float(np.sqrt(2 / np.pi * spread).sum() / len(confidence))
    edges = [edge / BINS for edge in range(BINS + 1)]
    bins = tuple(
        Bin(
            low=low,
            high=high,
            count=int(count[index]),
            confidence=float(confident[index] / count[index]) if count[index] else None,
            accuracy=proportion(int(correct[index]), int(count[index])),
        )
        for index, (low, high) in enumerate(pairwise(edges))
    )
    ece = float(np.abs(confident - correct).sum() / len(confidence))
    return Reliability(ece=ece, ece_by_chance=by_chance, bins=bins)


def _graded(
    scores: NDArray[np.float64], targets: NDArray[np.float32], head: Head
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    present = targets > 0
    if head == "multilabel":
        return scores.ravel(), present.ravel()
    decided = decide(scores, head)
    return scores[decided], present[decided]
