"""How likely it is that more would be lost than the margin allows, although the held-out pictures look well.

A fall that was measured may be chance, and so may its absence: fifty pictures cannot tell a model that is as
good from one that is two points worse. So the challenger that is to take the stable version's place has to
make it unlikely: of few pictures that it answers otherwise, it must win more than it loses. Where it loses
none, nothing is held against it, for a champion that was always right leaves none to win.
"""

from dataclasses import dataclass
from math import erf, sqrt

from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.mcnemar import compare
from pictor_training.retraining.gate.paired import Paired
from pictor_training.retraining.gate.words import limited, percent, points
from pictor_training.verdict import Check


@dataclass(frozen=True, slots=True)
class Risk:
    """How likely the accuracy falls by more than the margin, by what was lost and won of `pictures`."""

    pictures: int
    lost: int
    won: int
    probability: float


def risk_of(lost: int, won: int, pictures: int, margin: float) -> Risk:
    """Estimate it as A. Agresti and Y. Min do their interval (Statistics in Medicine 24, 2005).

    Half a picture is added to each of the four cells of right and wrong, so that nothing lost and nothing won
    is not taken for certainty; the difference is then normal with the variance of paired shares.
    """
    total = pictures + 2
    fall = (lost - won) / total
    spread = sqrt(max(lost + won + 1 - total * fall**2, 0.0)) / total
    probability = 0.5 * (1 - erf((margin - fall) / spread / sqrt(2))) if spread else float(fall > margin)
    return Risk(pictures, lost, won, probability)


def paired_risk(paired: Paired, margin: float) -> Risk:
    """Estimate it for the pictures that can be compared."""
    champion, challenger = paired.right()
    compared = compare(champion, challenger)
    return risk_of(compared.lost, compared.won, compared.pictures, margin)


def risk_check(paired: Paired, config: GateConfig) -> Check:
    """Ask whether it is too likely that the challenger is worse than the margin allows."""
    version, margin = paired.answers.champion.version, config.max_regression
    risk = paired_risk(paired, margin)
    measured = f"{percent(risk.probability)} ({risk.lost} lost, {risk.won} won of {risk.pictures})"
    limit = f"at most {percent(config.max_risk)} for a fall of more than {points(margin)[1:]}"
    objection = None
    if risk.lost and risk.probability > config.max_risk:
        objection = (
            f"{risk.lost} pictures are lost, {risk.won} won of {risk.pictures}: too little to tell that it "
            f"is not worse than version {version} by more than {points(margin)[1:]}, with a probability of "
            f"{percent(risk.probability)}; gate.max_risk allows {percent(config.max_risk)}. More held-out "
            "pictures tell more."
        )
    return limited(f"risk of a fall against version {version}", limit, measured, objection)
