"""McNemar's exact test, which asks whether two models are equally often right on the same pictures.

Only pictures that exactly one of them answered right tell them apart. If the two are equally good, each such
picture is the toss of a coin, whatever the rest looks like (Q. McNemar, Psychometrika 12, 1947; here with the
binomial itself, not its approximation, so that five pictures are judged as soundly as five thousand).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of `pictures`: each side's right answers, and the pictures that only one of them had right.

    `lost` were right with the champion and no more are, `won` the other way round.
    """

    pictures: int
    champion_right: int
    challenger_right: int
    lost: int
    won: int

    @property
    def fall(self) -> float:
        """Champion's accuracy less the challenger's; below 0 where the challenger is better."""
        return (self.lost - self.won) / self.pictures if self.pictures else 0.0

    @property
    def p_value(self) -> float:
        """Probability that a challenger as good as the champion loses at least as clearly, by chance."""
        return _by_chance(self.lost, self.lost + self.won)

    def exceeds(self, margin: float) -> bool:
        """Whether more is lost than `margin` allows; counted in pictures, so that no rounding decides."""
        return self.lost - self.won > margin * self.pictures + 1e-9

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and what follows from them, as plain numbers."""
        return {
            "pictures": self.pictures,
            "champion_right": self.champion_right,
            "challenger_right": self.challenger_right,
            "lost": self.lost,
            "won": self.won,
            "fall": self.fall,
            "p_value": self.p_value,
        }


@lru_cache(maxsize=4096)
def _by_chance(lost: int, apart: int) -> float:
    """Return the chance of at least `lost` heads in `apart` tosses; scipy takes a millisecond for it."""
    return float(binomtest(lost, apart, 0.5, alternative="greater").pvalue) if apart else 1.0


def compare(champion: NDArray[np.bool_], challenger: NDArray[np.bool_]) -> Comparison:
    """Compare right answers, picture by picture."""
    return Comparison(
        pictures=len(champion),
        champion_right=int(champion.sum()),
        challenger_right=int(challenger.sum()),
        lost=int((champion & ~challenger).sum()),
        won=int((challenger & ~champion).sum()),
    )
