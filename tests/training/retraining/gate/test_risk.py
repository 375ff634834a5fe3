"""How likely a fall is that the held-out pictures do not show."""

from collections.abc import Callable

import pytest

from colours import COLOURS
from painted import CHALLENGER, STABLE, World, answers, objecting
from pictor_training.retraining.gate.risk import risk_of

Paint = Callable[..., World]
TRUTH = [COLOURS[number % 3] for number in range(60)]
RISK = "risk of a fall against version 9"


@pytest.mark.parametrize(
    ("lost", "won", "pictures", "least", "most"),
    [
        (0, 0, 50, 0.25, 0.35),  # fifty pictures cannot tell a point
        (0, 3, 50, 0.0, 0.05),
        (3, 3, 100, 0.3, 0.4),
        (30, 30, 1000, 0.05, 0.15),
        (5, 0, 100, 0.9, 1.0),
    ],
)
def test_the_risk_follows_from_what_was_lost_and_won(
    lost: int, won: int, pictures: int, least: float, most: float
) -> None:
    """Few pictures leave it open; many that are as good, or some that are won, settle it."""
    assert least <= risk_of(lost, won, pictures, margin=0.01).probability <= most


def test_a_larger_margin_is_a_smaller_risk() -> None:
    """So whoever allows more is asked for less evidence."""
    risks = [risk_of(2, 2, 60, margin).probability for margin in (0.0, 0.01, 0.05, 0.2)]
    assert sorted(risks, reverse=True) == risks
    assert risk_of(0, 0, 0, 0.01).pictures == 0


def test_an_equal_model_on_few_pictures_is_held_for_the_risk(world: Paint) -> None:
    """Two lost and two won of sixty prove nothing; whoever takes any risk is asked for no proof."""
    said = {CHALLENGER: answers(TRUTH, [0, 1]), STABLE: answers(TRUTH, [2, 3])}
    equal = world(TRUTH, said, known=range(60))
    assert [RISK] == objecting(equal.asked(max_risk=0.35))
    assert "PROMOTE" == equal.asked(max_risk=1.0).decision


def test_nothing_lost_is_held_against_nobody(world: Paint) -> None:
    """However few the pictures are: a champion that was always right leaves none to win."""
    perfect = world(TRUTH, {CHALLENGER: TRUTH, STABLE: TRUTH}, known=range(60))
    assert "PROMOTE" == perfect.asked(max_risk=0.0).decision


def test_a_better_model_on_few_pictures_takes_little(world: Paint) -> None:
    """Four pictures won of sixty outweigh how few they are."""
    better = world(TRUTH, {CHALLENGER: TRUTH, STABLE: answers(TRUTH, [0, 1, 2, 3])}, known=range(60))
    verdict = better.asked(max_risk=0.35)
    assert "PROMOTE" == verdict.decision
    assert {"pictures": 60, "lost": 0, "won": 4} == {
        key: verdict.figures["champions"][0]["risk"][key] for key in ("pictures", "lost", "won")
    }
