"""The statistics that travel in the contract: what the training data looked like, to tell drift by."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract import DataStatistics
from pictor_contract.statistics import FEATURES, answer_bins, bins_of, picture_bins, shares_from
from pictor_training.data.prepare import PreparedData

MOST_PICTURES: Final = 20_000
"""More would cost time and tell nothing: the shares are known within one hundredth."""


def data_statistics(
    data: PreparedData,
    held_out: NDArray[np.floating],
    *,
    report: Callable[[str, int, int], None] | None = None,
) -> DataStatistics:
    """Return the statistics of all used pictures and of the calibrated scores `held_out` [n, labels].

    Of more than `MOST_PICTURES` pictures the first are taken, which is a fair sample: the rows are in the
    order of the contents' sha256.
    """
    labels = len(data.labels)
    rows = np.sort(np.concatenate([data.train, data.val, data.test]))[:MOST_PICTURES].tolist()
    counts = _count(_looks(data, rows, report)) + _count(answer_bins(scores) for scores in held_out)
    shares = {
        feature: shares_from([counts[feature, place] for place in range(bins_of(feature, labels))])
        for feature in FEATURES
    }
    return DataStatistics(pictures=len(rows), held_out=len(held_out), **shares)


def _looks(
    data: PreparedData, rows: list[int], report: Callable[[str, int, int], None] | None
) -> Iterable[dict[str, int]]:
    for done, row in enumerate(rows, start=1):
        width, height = data.sizes[row].tolist()
        yield picture_bins(data.pictures[row], (width, height))
        if report is not None:
            report("statistics", done, len(rows))


def _count(looks: Iterable[dict[str, int]]) -> Counter[tuple[str, int]]:
    return Counter(pair for look in looks for pair in look.items())
