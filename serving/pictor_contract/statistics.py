"""What the training data looked like, in a few histograms; the gateway takes the same of what it sees.

===========  ===============================  ================================================================
feature      of                               bins
===========  ===============================  ================================================================
class_mix    held-out pictures                one for each label: the one with the highest calibrated score
confidence   held-out pictures                that score, in tenths, finer where trained networks crowd
brightness   all pictures, as the model       mean level of the grey picture, 16 levels each
             gets them
sharpness    likewise                         log2(1 + variance of the Laplacian of the grey picture), 1 each
size         all pictures, as they were sent  log2(width * height), 1 each
===========  ===============================  ================================================================

The bins are a part of the contract: who changes them raises `SCHEMA_VERSION`. All is reckoned in whole
numbers up to the last step, so that no machine and no library's version puts a picture elsewhere.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract.checks import are_numbers, is_int, require

ANSWER_FEATURES: Final = ("class_mix", "confidence")
PICTURE_FEATURES: Final = ("brightness", "sharpness", "size")
FEATURES: Final = ANSWER_FEATURES + PICTURE_FEATURES
"""What is compared: of the answers, and of the pictures."""

_EDGES: Final[Mapping[str, Sequence[float]]] = {
    "confidence": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
    "brightness": range(16, 256, 16),
    "sharpness": range(1, 17),
    "size": range(12, 28),
}
"""Where a bin ends and the next begins; the first and the last have no outer end."""

_MILLION: Final = 1_000_000
_SUM_WITHIN: Final = 1e-6
_LAPLACIAN_SIDE: Final = 3
"""Pixels that the Laplacian needs in each direction."""


@dataclass(frozen=True, slots=True)
class DataStatistics:
    """Shares by bin for each feature; each sums to 1.

    `pictures`: how many brightness, sharpness and size were taken from; `held_out`: how many class_mix and
    confidence were. `class_mix[i]` is the share of those whose highest score is that of `labels[i]`.
    """

    pictures: int
    held_out: int
    class_mix: tuple[float, ...]
    confidence: tuple[float, ...]
    brightness: tuple[float, ...]
    sharpness: tuple[float, ...]
    size: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what are no shares of so many bins."""
        for name in ("pictures", "held_out"):
            count = getattr(self, name)
            require(is_int(count) and count > 0, f"statistics.{name}", count, "a whole number above 0")
        for feature in FEATURES:
            shares = getattr(self, feature)
            where = f"statistics.{feature}"
            require(
                are_numbers(shares)
                and all(0 <= share <= 1 for share in shares)
                and abs(sum(shares) - 1) <= _SUM_WITHIN,
                where,
                shares,
                "shares from 0 to 1 that sum to 1",
            )
            wanted = bins_of(feature, len(self.class_mix))
            require(len(shares) == wanted, where, shares, f"{wanted} shares")

    def shares(self, feature: str) -> tuple[float, ...]:
        """Return one feature's shares by bin."""
        shares: tuple[float, ...] = getattr(self, feature)
        return shares

    def taken_from(self, feature: str) -> int:
        """Return how many pictures that feature's shares were taken from."""
        return self.held_out if feature in ANSWER_FEATURES else self.pictures


def bins_of(feature: str, labels: int) -> int:
    """Return how many bins `feature` has for a model with so many `labels`."""
    return labels if feature == "class_mix" else len(_EDGES[feature]) + 1


def answer_bins(scores: NDArray[np.floating]) -> dict[str, int]:
    """Return the bins of one picture's answer, its calibrated scores [labels]."""
    highest = int(scores.argmax())
    # As float32: a gateway has no other, and a score on an edge must not fall on the other side of it.
    return {"class_mix": highest, "confidence": _bin("confidence", float(np.float32(scores[highest])))}


def picture_bins(pixels: NDArray[np.uint8], size: tuple[int, int] | None) -> dict[str, int]:
    """Return the bins of one picture: `pixels` [height, width, channels] as the model gets them.

    `size` is the picture's width and height as it was sent; without it, as where only pixels were sent, there
    is no bin for it. Takes longer than the event loop may: about 0.3 ms for 224 x 224 pixels.
    """
    grey = _grey(pixels)
    brightness = int(np.add.reduce(grey, axis=None, dtype=np.int64)) / grey.size
    bins = {
        "brightness": _bin("brightness", brightness),
        "sharpness": _bin("sharpness", log2(1 + _laplacian_variance(grey))),
    }
    if size is not None:
        bins["size"] = _bin("size", log2(size[0] * size[1]))
    return bins


def shares_from(counts: Sequence[int]) -> tuple[float, ...]:
    """Return the shares of `counts`, at least one of them above 0: six decimals that sum to 1.

    What rounding down leaves over goes to those that lost most by it, so that many bins sum to 1 as well.
    """
    total = sum(counts)
    parts = [divmod(count * _MILLION, total) for count in counts]
    millionths = [whole for whole, _ in parts]
    short = _MILLION - sum(millionths)
    for place in sorted(range(len(parts)), key=lambda place: -parts[place][1])[:short]:
        millionths[place] += 1
    return tuple(part / _MILLION for part in millionths)


def _bin(feature: str, value: float) -> int:
    return bisect_right(_EDGES[feature], value)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the levels as a network sees light: green counts twice. Cheaper than a luma, and enough here."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0].astype(np.int16)
    grey = pixels[:, :, 1].astype(np.int16)
    grey += grey
    grey += pixels[:, :, 0]
    grey += pixels[:, :, 2]
    grey >>= 2
    return grey


def _laplacian_variance(grey: NDArray[np.int16]) -> float:
    """Return the usual measure of focus (J. L. Pech-Pacheco et al., ICPR 2000); 0 for a tiny picture."""
    if min(grey.shape) < _LAPLACIAN_SIDE:
        return 0.0
    laplacian = grey[1:-1, 1:-1] * np.int16(4)
    for neighbours in (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]):
        laplacian -= neighbours
    flat = laplacian.ravel()
    total = int(np.add.reduce(flat, dtype=np.int64))
    squares = int(np.einsum("i,i->", flat, flat, dtype=np.int64))
    return (flat.size * squares - total * total) / flat.size**2
