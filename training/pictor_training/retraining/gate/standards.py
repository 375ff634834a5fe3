"""Whether the challenger is good enough by itself: enough pictures, right often enough, honest about it."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_training.evaluation import Evaluation, Reliability
from pictor_training.evaluation.reliability import reliability
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.paired import Paired
from pictor_training.retraining.gate.pictures import HeldOut
from pictor_training.retraining.gate.regression import compare_classes
from pictor_training.retraining.gate.words import limited, listed, percent, skipped
from pictor_training.verdict import Check

BY_CHANCE = 2.0
"""An error of calibration below so many times what chance alone would show is no evidence of one."""


def standard_checks(test: Evaluation, paired: Paired | None, config: GateConfig) -> Iterator[Check]:
    """Compare the held-out figures with the limits; a champion as weak on a class excuses it there."""
    yield _pictures(test.count, config)
    yield _accuracy(test, config)
    yield _guessing(test)
    yield _class_recall(test, paired, config)
    yield _calibration(test.reliability, config)


def calibration_regression(
    held_out: HeldOut,
    contract: ImageContract,
    scores: NDArray[np.float64],
    paired: Paired,
    config: GateConfig,
) -> tuple[Check, dict[str, float]]:
    """Compare how far each side's scores can be believed, on the pictures that are compared."""
    present = held_out.present[paired.places]
    answers = paired.answers
    theirs = answers.contract
    column = {label: number for number, label in enumerate(contract.labels)}
    known = np.zeros((len(present), len(theirs.labels)), np.bool_)
    for number, label in enumerate(theirs.labels):
        if label in column:
            known[:, number] = present[:, column[label]]
    ours = reliability(scores[paired.places], present.astype(np.float32), contract.head)
    before = reliability(answers.scores[paired.places], known.astype(np.float32), theirs.head)
    growth = ours.ece - before.ece
    objection = None
    if growth > config.max_calibration_regression and _is_real(ours):
        objection = (
            f"Its scores differ from the truth by {percent(ours.ece)} on average; those of version "
            f"{answers.champion.version} by {percent(before.ece)}. Whoever relies on a score would be misled."
        )
    check = limited(
        f"calibration: no worse than version {answers.champion.version}",
        f"growth of at most {percent(config.max_calibration_regression)}",
        f"{percent(before.ece)} to {percent(ours.ece)}",
        objection,
    )
    return check, {"champion": before.ece, "challenger": ours.ece, "by_chance": ours.ece_by_chance}


def new_labels_check(test: Evaluation, new: Sequence[str], config: GateConfig) -> Check:
    """Ask whether labels that the stable version does not have are found at all.

    A known class under a second name is not: nothing tells the two apart, and both get worse.
    """
    name, least = "new labels are found", config.min_new_recall
    if not new:
        return skipped(name, "There are none.")
    counts = {one.label: (one.correct, one.support) for one in test.classes if one.label in new}
    weak = [label for label, (found, count) in counts.items() if found < least * max(count, 1)]
    told = ", ".join(f"“{label}” {found} of {count}" for label, (found, count) in counts.items())
    objection = None
    if weak:
        objection = (
            f"Of the held-out pictures of new labels too few are found ({told}). Are they another class "
            "under a new name, or too few to learn from? Correct them, add some, or lower "
            "gate.min_new_recall."
        )
    return limited(name, f"at least {percent(least)}", told, objection)


def _pictures(count: int, config: GateConfig) -> Check:
    objection = None
    if count < config.min_pictures:
        objection = (
            f"{count} held-out pictures are too few to judge by. Add pictures, or lower gate.min_pictures."
        )
    return limited("held-out pictures", f"at least {config.min_pictures}", str(count), objection)


def _accuracy(test: Evaluation, config: GateConfig) -> Check:
    rate = test.accuracy
    measured = f"{percent(rate.value)} ({percent(rate.low)} to {percent(rate.high)})"
    objection = None
    if rate.value < config.min_accuracy:
        objection = (
            f"{test.correct} of {test.count} held-out pictures are answered right, {percent(rate.value)}; "
            f"gate.min_accuracy asks for {percent(config.min_accuracy)}."
        )
    return limited("accuracy", f"at least {percent(config.min_accuracy)}", measured, objection)


def _guessing(test: Evaluation) -> Check:
    """One answer for every picture has a mean recall of 1 / classes, however the classes are shared out."""
    name = "better than guessing"
    occurring = sum(one.support > 0 for one in test.classes)
    if test.head == "multilabel" or test.balanced_accuracy is None or occurring < 2:  # noqa: PLR2004 - classes to tell apart
        return skipped(name, "Only asked of pictures of two classes or more, with one label each.")
    value = test.balanced_accuracy.value
    objection = None
    if value <= 1 / occurring:
        objection = (
            f"On average {percent(value)} of a class is found; the same answer to every picture would find "
            f"{percent(1 / occurring)}. It has learnt nothing."
        )
    return limited(name, f"more than {percent(1 / occurring)}", f"{percent(value)} of a class", objection)


def _class_recall(test: Evaluation, paired: Paired | None, config: GateConfig) -> Check:
    least = config.min_class_recall
    recalls = {one.label: one.recall.value for one in test.classes if one.recall is not None}
    excused = {
        one.label
        for one in (() if paired is None else compare_classes(paired))
        if one.found.champion_right <= one.found.challenger_right
    }
    weak = [label for label, recall in recalls.items() if recall < least and label not in excused]
    measured = f"{percent(min(recalls.values()))} at least" if recalls else "no class"
    objection = None
    if weak:
        objection = f"Less than {percent(least)} of a class is found: {listed(weak)}."
    return limited("recall of every class", f"at least {percent(least)}", measured, objection)


def _calibration(found: Reliability, config: GateConfig) -> Check:
    objection = None
    if found.ece > config.max_calibration_error and _is_real(found):
        objection = (
            f"Scores and truth differ by {percent(found.ece)} on average, where chance explains "
            f"{percent(found.ece_by_chance)}: the scores cannot be believed."
        )
    return limited(
        "calibration",
        f"error of at most {percent(config.max_calibration_error)}",
        f"{percent(found.ece)} (by chance {percent(found.ece_by_chance)})",
        objection,
    )


def _is_real(found: Reliability) -> bool:
    return found.ece > BY_CHANCE * found.ece_by_chance
