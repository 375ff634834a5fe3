"""The gate's verdict for the page: in words, in marks that need no colour, and champion beside challenger."""

import math
from dataclasses import dataclass
from typing import Any, Final

from pictor_training.evaluation import Estimate
from pictor_training.report.words import percent
from pictor_training.verdict import Check, Verdict

_STEEPEST: Final = 0.9

SHOWN_CLASSES: Final = 40
"""Classes of the comparison that are shown, those that lost most first."""

_TOLD: Final = {
    "PROMOTE": ("\N{CHECK MARK}", "The new model may take over."),
    "HOLD": ("\N{DOUBLE VERTICAL LINE}", "The new model is not good enough; the one before stays."),
    "REJECT": ("\N{MULTIPLICATION X}", "The new model is broken; the one before stays."),
}
_MARKS: Final = {
    "passed": ("\N{CHECK MARK}", "passed"),
    "hold": ("\N{DOUBLE VERTICAL LINE}", "held"),
    "reject": ("\N{MULTIPLICATION X}", "rejected"),
    "skipped": ("\N{EN DASH}", "not asked"),
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check with its outcome as a mark and a word."""

    check: Check
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group of pictures that champion and challenger both answered."""

    version: int
    group: str
    pictures: int
    champion: str
    challenger: str
    lost: int
    won: int
    p_value: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class's recall on both sides."""

    label: str
    pictures: int
    champion: Estimate
    challenger: Estimate
    change: str


@dataclass(frozen=True, slots=True)
class VerdictPage:
    """All that the section prints."""

    decision: str
    mark: str
    meaning: str
    reasons: tuple[str, ...]
    champion: int | None
    checks: tuple[CheckRow, ...]
    groups: tuple[GroupRow, ...]
    classes: tuple[ClassRow, ...]
    hidden_classes: int
    axis: "Axis"
    recorded: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The part of 0 to 1 that the classes' bars show, and where a share lies in it."""

    start: float

    def percent(self, share: float) -> float:
        """Return the place of `share` on the axis, from 0 to 100."""
        return 100 * (share - self.start) / (1 - self.start)


def verdict_page(verdict: Verdict | None) -> VerdictPage | None:
    """Prepare the section; None where no gate was asked."""
    if verdict is None:
        return None
    mark, meaning = _TOLD[verdict.decision]
    champions = verdict.figures.get("champions", [])
    stable = next((one for one in champions if one["version"] == verdict.champion), None)
    classes = [] if stable is None else sorted(map(_class_row, stable["classes"]), key=_loss, reverse=True)
    return VerdictPage(
        decision=verdict.decision,
        mark=mark,
        meaning=meaning,
        reasons=verdict.reasons,
        champion=verdict.champion,
        checks=tuple(CheckRow(check, *_MARKS[check.outcome]) for check in verdict.checks),
        groups=tuple(
            _group_row(one["version"], name, figures)
            for one in champions
            for name, figures in one["groups"].items()
        ),
        classes=tuple(classes[:SHOWN_CLASSES]),
        hidden_classes=max(0, len(classes) - SHOWN_CLASSES),
        axis=_axis(classes),
        recorded="" if stable is None else _recorded(stable),
    )


def _class_row(figures: dict[str, Any]) -> ClassRow:
    champion, challenger = (Estimate(**figures[side]) for side in ("champion", "challenger"))
    change = f"{100 * (challenger.value - champion.value):+.1f}"
    return ClassRow(figures["label"], figures["pictures"], champion, challenger, change)


def _axis(rows: list[ClassRow]) -> Axis:
    """Begin at the tenth below the lowest limit, so that good classes are told apart as well."""
    lowest = min((min(row.champion.low, row.challenger.low) for row in rows), default=0.0)
    return Axis(math.floor(10 * lowest) / 10 if lowest < _STEEPEST else _STEEPEST)


def _loss(row: ClassRow) -> float:
    return row.champion.value - row.challenger.value


def _group_row(version: int, name: str, figures: dict[str, Any]) -> GroupRow:
    pictures = figures["pictures"]
    return GroupRow(
        version=version,
        group=name,
        pictures=pictures,
        champion=percent(figures["champion_right"] / pictures),
        challenger=percent(figures["challenger_right"] / pictures),
        lost=figures["lost"],
        won=figures["won"],
        p_value="< 0.001" if figures["p_value"] < 0.001 else f"{figures['p_value']:.3f}",  # noqa: PLR2004 - three digits
    )


def _recorded(stable: dict[str, Any]) -> str:
    """Say how the champion's figures have moved since it was trained: the pictures did, not the model."""
    before = stable["recorded"].get("accuracy")
    now = next(iter(stable["groups"].values()), None) if stable["groups"] else None
    now = stable["groups"].get("all", now)
    if before is None or now is None:
        return ""
    return (
        f"Version {stable['version']} answered {percent(before)} right when it was trained, and "
        f"{percent(now['champion_right'] / now['pictures'])} of the pictures it is compared on here."
    )
