"""Whether the challenger is worse than a champion, all in all or on one class.

A model is held if, on the same pictures, it has lost more than `max_regression`, measured, not estimated: a
margin that were only kept where its breach is proven would be kept nowhere with a hundred pictures. And it is
held if it lost less, but too evenly for chance (McNemar, `significance`). Both are asked of the known
pictures and of all together; on new pictures alone, which may be three, a fall must exceed the margin *and*
be beyond chance. If there are no known pictures, all are the new ones and the strict rule holds for them.

A class is held if its recall falls by more than `max_class_regression` *and* beyond chance
(`class_significance`), or if the champion found at least `VANISHED` of its pictures and the challenger none.
The first reaches from 5 of 5 lost (p = 0.03), the second covers the smallest classes.

What that means in figures (10,000 simulated nights each, seed 1: 10 classes, all pictures known, 3 % of them
lost and 3 % won where the two are equal; a test repeats it):

==================  ======  ======  ======  ======
held-out pictures       30     100     300    1000
==================  ======  ======  ======  ======
held though equal     33 %    27 %    21 %     9 %
held, 2 points up     22 %    10 %     3 %     0 %
passed, 5 worse       29 %    14 %     2 %     0 %
passed, 20 worse       1 %     0 %     0 %     0 %
==================  ======  ======  ======  ======

With 20 new pictures beside them an equal one is held in 45, 33 and 24 % of the nights (30, 100, 300), one
that is 5 points worse passes in 16, 9 and 1 %. So few pictures hold an equal model every second or third
night, which costs a night, but not for ever; and they let a slightly worse one through now and then, which is
why earlier versions are champions as well: falls too small to be seen one by one do not add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pictor_training.evaluation.intervals import proportion
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.mcnemar import Comparison, compare
from pictor_training.retraining.gate.paired import Marks, Paired
from pictor_training.retraining.gate.words import chance, change, limited, percent, points, skipped
from pictor_training.verdict import Check

VANISHED: Final = 3
"""Found pictures of a class from which on finding none at all is no accident: a class of two may be one."""

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """One class: its pictures of a group, found or not."""

    label: str
    group: str
    found: Comparison


def regression_checks(paired: Paired, config: GateConfig) -> Iterator[Check]:
    """Ask whether the challenger is worse than this champion."""
    version = paired.answers.champion.version
    groups = compare_groups(paired)
    if "known" not in groups:
        yield skipped(
            _name("known pictures", version),
            f"None of the held-out pictures is known to have been held out for version {version}: the others "
            "decide alone, and if they are mislabelled, so is this verdict.",
        )
    for group, compared in groups.items():
        yield _group_check(group, compared, version, config)
    yield _class_check(paired, config)


def compare_groups(paired: Paired) -> dict[str, Comparison]:
    """Compare the known pictures, the new ones, and all; what would be said twice is left out."""
    champion, challenger = paired.right()
    groups = _groups(paired)
    if not paired.known.any():
        del groups["known"], groups["new"]
    elif paired.known.all():
        del groups["new"], groups["all"]
    return {group: compare(champion[rows], challenger[rows]) for group, rows in groups.items()}


def compare_classes(paired: Paired, group: str = "all") -> list[ClassComparison]:
    """Compare, for each shared label with pictures in `group`, how many of them were found."""
    rows = _groups(paired)[group]
    found = []
    for column, label in enumerate(paired.labels):
        has = rows & paired.present[:, column]
        if has.any():
            sides = paired.champion[has, column], paired.challenger[has, column]
            found.append(ClassComparison(label, group, compare(*sides)))
    return found


def class_figures(paired: Paired) -> list[dict[str, Any]]:
    """Return each class's recall on both sides, with 95 % intervals, over all compared pictures."""
    figures = []
    for one in compare_classes(paired):
        found = one.found
        sides = {
            side: proportion(right, found.pictures)
            for side, right in (("champion", found.champion_right), ("challenger", found.challenger_right))
        }
        estimates = {
            side: {"value": estimate.value, "low": estimate.low, "high": estimate.high}
            for side, estimate in sides.items()
            if estimate is not None
        }
        figures.append({"label": one.label, **found.to_dict(), **estimates})
    return figures


def _groups(paired: Paired) -> dict[str, Marks]:
    everything = np.ones(len(paired.places), np.bool_)
    return {"known": paired.known, "new": ~paired.known, "all": everything}


def _name(what: str, version: int) -> str:
    return f"{what}: no worse than version {version}"


def _group_check(group: str, compared: Comparison, version: int, config: GateConfig) -> Check:
    name = _name("all pictures" if group == "all" else f"{group} pictures", version)
    margin, level = config.max_regression, config.significance
    falls, is_real = compared.exceeds(margin), compared.fall > 0 and compared.p_value <= level
    objects = (falls and is_real) if group == "new" else (falls or is_real)
    joined = "or" if group == "new" else "and"
    limit = f"fall of at most {points(margin)[1:]}, {joined} within chance (p > {level:g})"
    objection = None
    if objects:
        objection = (
            f"On {_spoken(group, compared.pictures)} the accuracy falls from {change(compared)}: "
            f"{compared.lost} that version {version} had right are lost, {compared.won} are won; "
            f"{_allowance(compared.pictures, config)}."
        )
    return limited(name, limit, change(compared), objection)


def _allowance(pictures: int, config: GateConfig) -> str:
    told = f"gate.max_regression allows {percent(config.max_regression)}"
    return f"{told}, less than one of so few" if 0 < config.max_regression * pictures < 1 else told


def _spoken(group: str, pictures: int) -> str:
    return f"all {pictures} pictures" if group == "all" else f"the {pictures} {group} pictures"


def _class_check(paired: Paired, config: GateConfig) -> Check:
    version = paired.answers.champion.version
    known, everything = compare_classes(paired, "known"), compare_classes(paired)
    fallen = {one.label: one for one in (*everything, *known) if _has_fallen(one.found, config)}
    worst = max(everything, key=lambda one: one.found.fall, default=None)
    measured = "no class" if worst is None else f"“{worst.label}” {points(-worst.found.fall)}"
    limit = (
        f"fall of at most {points(config.max_class_regression)[1:]}, or within chance "
        f"(p > {config.class_significance:g}); never to nothing"
    )
    objection = None
    if fallen:
        told = [_class_words(one) for one in sorted(fallen.values(), key=lambda one: -one.found.fall)]
        more = "" if len(told) <= _NAMED else f"; and {len(told) - _NAMED} classes more"
        objection = (
            f"Classes are found less often than by version {version}: {'; '.join(told[:_NAMED])}{more}."
        )
    return limited(_name("every class", version), limit, measured, objection)


def _has_fallen(found: Comparison, config: GateConfig) -> bool:
    if found.champion_right >= VANISHED and not found.challenger_right:
        return True
    return found.exceeds(config.max_class_regression) and found.p_value <= config.class_significance


def _class_words(one: ClassComparison) -> str:
    found = one.found
    group = "known " if one.group == "known" else ""
    return (
        f"“{one.label}” {found.champion_right} to {found.challenger_right} of {found.pictures} "
        f"{group}pictures ({percent(found.champion_right / found.pictures)} to "
        f"{percent(found.challenger_right / found.pictures)}, {chance(found.p_value)})"
    )
