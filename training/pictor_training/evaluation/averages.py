"""Averages over the classes, with intervals that respect how pictures were drawn.

Whole pictures are resampled (the percentile bootstrap: B. Efron, Annals of Statistics 7, 1979), because one
mistake touches two classes at once and the labels of one picture belong together. A bootstrap sees no spread
where no mistake was made; so no interval is narrower than the closed form, which never collapses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_training.evaluation.intervals import Estimate, f1, mean, proportion, widest

REPLICATES: Final = 1000
_AT_ONCE: Final = 100
"""Replicates held in memory together: 100 for 50,000 different answers are 40 MB."""


@dataclass(frozen=True, slots=True)
class Averages:
    """Over the classes that occur: mean F1, mean recall; and F1 of all decisions together."""

    macro_f1: Estimate | None
    balanced_accuracy: Estimate | None
    micro_f1: Estimate | None


def averages(decided: NDArray[np.bool_], present: NDArray[np.bool_], *, seed: int) -> Averages:
    """Average over the classes, [n, classes] decided against present; None where no class occurs.

    Classes without a picture are left out of the means, here and in every replicate.
    """
    correct, support, predicted = (part.sum(axis=0) for part in (decided & present, present, decided))
    drawn = _replicates(decided, present, np.random.default_rng(seed))
    counts = [(int(c), int(s), int(p)) for c, s, p in zip(correct, support, predicted, strict=True)]
    occurring = [(c, s, p) for c, s, p in counts if s > 0]
    return Averages(
        macro_f1=_with_spread(mean(_defined([f1(*one) for one in occurring])), drawn[0]),
        balanced_accuracy=_with_spread(mean(_defined([proportion(c, s) for c, s, _ in occurring])), drawn[1]),
        micro_f1=_with_spread(f1(int(correct.sum()), int(support.sum()), int(predicted.sum())), drawn[2]),
    )


def _defined(estimates: Sequence[Estimate | None]) -> list[Estimate]:
    return [one for one in estimates if one is not None]


def _with_spread(estimate: Estimate | None, drawn: NDArray[np.float64]) -> Estimate | None:
    drawn = drawn[~np.isnan(drawn)]
    if estimate is None or not len(drawn):
        return estimate
    low, high = (float(limit) for limit in np.percentile(drawn, [2.5, 97.5]))
    return widest(estimate, Estimate(estimate.value, low, high))


def _replicates(
    decided: NDArray[np.bool_], present: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """[3, REPLICATES]: each average for each resampling of the pictures, NaN where it is undefined.

    Pictures with equal truth and equal answer are interchangeable, so only how often each such pattern
    is drawn must be drawn.
    """
    labels = present.shape[1]
    patterns, times = np.unique(np.concatenate([present, decided], axis=1), axis=0, return_counts=True)
    truth, answer = patterns[:, :labels], patterns[:, labels:]
    sums = [part.astype(np.float64) for part in (truth & answer, truth, answer)]
    pictures = int(times.sum())
    parts = []
    for _ in range(0, REPLICATES, _AT_ONCE):
        draws = rng.multinomial(pictures, times / pictures, size=_AT_ONCE).astype(np.float64)
        parts.append(_averages_of(*(draws @ one for one in sums)))
    return np.concatenate(parts, axis=1)


def _averages_of(
    correct: NDArray[np.float64], support: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    occurs = support > 0
    classes = occurs.sum(axis=1)
    per_class_f1 = _ratio(2 * correct, support + predicted)
    macro_f1 = _ratio(np.nansum(per_class_f1 * occurs, axis=1), classes)
    balanced_accuracy = _ratio(np.nansum(_ratio(correct, support), axis=1), classes)
    micro_f1 = _ratio(2 * correct.sum(axis=1), (support + predicted).sum(axis=1))
    return np.stack([macro_f1, balanced_accuracy, micro_f1])


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
