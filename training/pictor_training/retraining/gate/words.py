"""How figures are said in a verdict."""

from collections.abc import Sequence

from pictor_training.retraining.gate.mcnemar import Comparison
from pictor_training.verdict import Check, Outcome

_NAMED = 5


def percent(share: float) -> str:
    """One decimal."""
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """Percentage points, one decimal, with their sign."""
    return f"{100 * difference + 0.0:+.1f} points"  # + 0.0: no minus before nothing


def chance(probability: float) -> str:
    """Two digits; what is tiny is only said to be so."""
    return f"p = {probability:.2g}" if probability >= 0.0001 else "p < 0.0001"  # noqa: PLR2004 - four zeros say enough


def change(compared: Comparison) -> str:
    """Say both accuracies and how sure the difference is."""
    before, now = (
        percent(right / compared.pictures) for right in (compared.champion_right, compared.challenger_right)
    )
    return f"{before} to {now} of {compared.pictures} ({points(-compared.fall)}, {chance(compared.p_value)})"


def listed(names: Sequence[str]) -> str:
    """Name a few."""
    named = ", ".join(f"“{name}”" for name in names[:_NAMED])
    return named if len(names) <= _NAMED else f"{named} and {len(names) - _NAMED} more"


def limited(name: str, limit: str, measured: str, objection: str | None) -> Check:
    """Make a check that holds the challenger if there is an `objection`."""
    outcome: Outcome = "passed" if objection is None else "hold"
    return Check(name, outcome, measured, limit, objection or "")


def skipped(name: str, reason: str) -> Check:
    """Make a check that could not, or need not, be made."""
    return Check(name, "skipped", "", "", reason)
