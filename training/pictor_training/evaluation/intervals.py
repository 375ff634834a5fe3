"""95 % intervals in closed form: for proportions, for F1, and for means of both.

All are built on Wilson's interval, which keeps its coverage for small counts and does not collapse to a point
when nothing, or everything, was right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959963984540054
"""The standard normal's 97.5 % quantile: two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; low <= value <= high."""

    value: float
    low: float
    high: float


def proportion(successes: int, trials: int) -> Estimate | None:
    """Share of successes with Wilson's interval; None without trials."""
    return wilson(successes, trials) if trials else None


def wilson(successes: int, trials: int) -> Estimate:
    """Share of successes among at least one trial (E. B. Wilson, JASA 22, 1927)."""
    share, spread = successes / trials, _Z**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def f1(correct: int, support: int, predicted: int) -> Estimate | None:
    """F1 = 2 J / (1 + J), where J = correct / (support + predicted - correct).

    J (Jaccard's index) is a plain proportion among the pictures that are of the class or were said to be, and
    F1 rises with it; so Wilson's limits for J, put through the same formula, are limits for F1. None without
    such pictures.
    """
    overlap = proportion(correct, support + predicted - correct)
    if overlap is None:
        return None
    value, low, high = (2 * share / (1 + share) for share in (overlap.value, overlap.low, overlap.high))
    return Estimate(value, low, high)


def mean(estimates: Sequence[Estimate]) -> Estimate | None:
    """Mean of independent estimates by MOVER (G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008).

    Each limit lies as far out as the root of the summed squares of the parts' own distances. None of none.
    """
    if not estimates:
        return None
    value = math.fsum(one.value for one in estimates) / len(estimates)
    down = math.hypot(*(one.value - one.low for one in estimates)) / len(estimates)
    up = math.hypot(*(one.high - one.value for one in estimates)) / len(estimates)
    return Estimate(value, max(0.0, value - down), min(1.0, value + up))


def widest(first: Estimate, second: Estimate) -> Estimate:
    """Return the first's value with the lower of both lows and the higher of both highs."""
    return Estimate(first.value, min(first.low, second.low), max(first.high, second.high))
