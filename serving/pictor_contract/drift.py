"""How far what is seen is from what was trained on: one number a feature, 0 where chance could explain it."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEAST_EXPECTED: Final = 5
"""Pictures that a bin must be due in the smaller of the two sets to be judged by itself (W. G. Cochran's rule
for the chi-square test, 1954)."""

_SPREADS: Final = 2.0
"""Standard deviations of chance allowed for; with its mean alone a small window is often above 0.1."""


def drift_score(expected: Sequence[float], taken_from: int, seen: Sequence[int]) -> float:
    """Return the population stability index of `seen` against `expected`, less what chance would give.

    `expected` are shares by bin of `taken_from` pictures, `seen` are counts, at least one of them above 0. By
    custom, below 0.1 nothing has changed and above 0.25 much has.

    The index is sum((q - p) * ln(q / p)) over the bins' shares (N. Siddiqi, Credit Risk Scorecards, 2006).
    Where nothing has changed it is not 0 but distributed as (1/n + 1/m) * chi-square with one degree of
    freedom less than there are bins (B. Yurdakul, Statistical properties of PSI, 2018), n and m being the
    pictures on either side. That mean and twice the standard deviation are taken off: a window of 200
    pictures may then be read like one of 10,000. This holds for bins in which some pictures are due. All
    others count as one bin, that of what was rare in training: it grows with whatever is new.
    """
    counts = np.asarray(seen, np.float64)
    pictures = float(counts.sum())
    p, q = _frequent_and_rare(np.asarray(expected, np.float64), counts, min(pictures, taken_from))
    used = (p > 0) | (q > 0)
    freedom = int(used.sum()) - 1
    if freedom == 0:
        return 0.0
    # One picture is shared out among the bins, so that an empty one has a logarithm.
    before = (p[used] * taken_from + 1 / (freedom + 1)) / (taken_from + 1)
    now = (q[used] + before) / (pictures + 1)
    index = float(((now - before) * np.log(now / before)).sum())
    chance = (freedom + _SPREADS * sqrt(2 * freedom)) * (1 / pictures + 1 / taken_from)
    return max(0.0, index - chance)


def _frequent_and_rare(
    expected: NDArray[np.float64], seen: NDArray[np.float64], pictures: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both with one bin, the last, in place of all that are rare in `expected`."""
    rare = expected * pictures < _LEAST_EXPECTED
    return (
        np.append(expected[~rare], expected[rare].sum()),
        np.append(seen[~rare], seen[rare].sum()),
    )
