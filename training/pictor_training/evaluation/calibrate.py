"""Temperature scaling: one number that makes the scores mean what they say, fitted on validation pictures.

Dividing the logits by a temperature T changes no decision: the highest stays highest, and what lies above
0.5 stays there. Scores only become bolder (T < 1) or more careful (T > 1).

Rules, in this order:

- Fewer than `MIN_PICTURES` pictures, or pictures of one class only: T = 1. They cannot judge a score.
- T minimises the negative log-likelihood (C. Guo et al., ICML 2017) within `BOUNDS`.
- Scores are made bolder only as far as the validation pictures can vouch for: the mean confidence is not
  raised above (right + 1) / (answers + 2), Laplace's rule of succession. Without this rule a validation set
  without mistakes has no minimum at all: every smaller T is better, and 20 right answers would buy 99.99 %.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax

from pictor_contract.contract import Head
from pictor_training.evaluation.answers import scores_from_logits
from pictor_training.evaluation.reliability import Reliability, reliability

BOUNDS: Final = (0.05, 20.0)
MIN_PICTURES: Final = 20
"""Below, even the accuracy is known no better than within 20 points."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature, why it is what it is, and what it changed on the pictures it was fitted on.

    `*_before` is at temperature 1; all four are None without pictures.
    """

    temperature: float
    reason: str
    pictures: int
    nll_before: float | None
    nll_after: float | None
    before: Reliability | None
    after: Reliability | None


def calibrate(logits: ArrayLike, targets: NDArray[np.float32], head: Head) -> Calibration:
    """Fit the temperature and record likelihood and reliability before and after."""
    given = np.asarray(logits, np.float64)
    if not len(given):
        return Calibration(1.0, "there were no validation pictures", 0, None, None, None, None)
    pooled, truth = _as_classes(given, targets, head)
    temperature, reason = _choose(pooled, truth, len(given))
    return Calibration(
        temperature=temperature,
        reason=reason,
        pictures=len(given),
        nll_before=_nll(pooled, truth, 1.0),
        nll_after=_nll(pooled, truth, temperature),
        before=reliability(scores_from_logits(given, head, 1.0), targets, head),
        after=reliability(scores_from_logits(given, head, temperature), targets, head),
    )


def fit_temperature(logits: ArrayLike, targets: NDArray[np.float32], head: Head) -> float:
    """Return the temperature alone."""
    return calibrate(logits, targets, head).temperature


def _as_classes(
    logits: NDArray[np.float64], targets: NDArray[np.float32], head: Head
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """One form for all heads: logits over classes, and each answer's true class.

    A sigmoid of z is a softmax over (0, z), so binary pictures and multilabel decisions become pairs.
    """
    if head == "multiclass":
        return logits, targets.argmax(axis=1)
    single = logits.reshape(-1, 1)
    truth = targets[:, 1] if head == "binary" else targets.ravel()
    return np.concatenate([np.zeros_like(single), single], axis=1), (truth > 0).astype(np.int64)


def _choose(logits: NDArray[np.float64], truth: NDArray[np.int64], pictures: int) -> tuple[float, str]:
    if pictures < MIN_PICTURES:
        return 1.0, f"{pictures} validation pictures are too few to judge scores ({MIN_PICTURES} are needed)"
    if truth.min() == truth.max():
        return 1.0, "the validation pictures are all of one class and cannot judge the scores of another"
    likeliest = _likeliest(logits, truth)
    if likeliest >= 1:
        at_bound = likeliest > 0.99 * BOUNDS[1]
        return (
            likeliest,
            "the scores say next to nothing" if at_bound else "fitted on the validation pictures",
        )
    boldest = _boldest(logits, truth)
    if likeliest >= boldest:
        return likeliest, "fitted on the validation pictures"
    return boldest, "as bold as the validation pictures can vouch for"


def _likeliest(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    # The likelihood is convex in 1/T, hence has one minimum in log T as well.
    low, high = np.log(BOUNDS)
    found = minimize_scalar(
        lambda log_t: _nll(logits, truth, float(np.exp(log_t))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def _boldest(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Return the least T whose mean confidence keeps Laplace's rule; 1 where T = 1 breaks it already."""
    right = int((logits.argmax(axis=1) == truth).sum())
    most = (right + 1) / (len(truth) + 2)

    def excess(temperature: float) -> float:
        top = log_softmax(logits / temperature, axis=1).max(axis=1)
        return float(np.exp(top).mean()) - most

    if excess(1.0) >= 0:
        return 1.0
    if excess(BOUNDS[0]) <= 0:
        return BOUNDS[0]
    return float(brentq(excess, BOUNDS[0], 1.0))  # confidence falls steadily with T: one crossing


def _nll(logits: NDArray[np.float64], truth: NDArray[np.int64], temperature: float) -> float:
    return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean())
