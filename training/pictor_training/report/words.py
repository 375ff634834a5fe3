"""What the figures mean, in sentences for someone who did not train the model."""

from typing import Final

from pictor_training.evaluation import Calibration, Estimate, Evaluation
from pictor_training.report.facts import ReportFacts

UNDEFINED: Final = "\N{EN DASH}"
_NBSP: Final = "\N{NO-BREAK SPACE}"

_WIDE: Final = 0.15
_FEW_PICTURES: Final = 10
_NAMED: Final = 5
_OVERFIT: Final = 0.1
_MISCALIBRATED: Final = 0.05


def percent(share: float | None) -> str:
    """One decimal; a dash for what is undefined."""
    return UNDEFINED if share is None else f"{100 * share:.1f}{_NBSP}%"


def interval(estimate: Estimate | None) -> str:
    """Limits without repeating the unit."""
    return "" if estimate is None else f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}{_NBSP}%"


def duration(seconds: float) -> str:
    """Hours, minutes, seconds, the two largest that are not zero."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def conclusions(facts: ReportFacts) -> list[str]:
    """Say what was found, most important first."""
    return [_accuracy(facts.test), _calibration(facts.calibration, facts.test), *_weakest(facts.test)]


def cautions(facts: ReportFacts) -> list[str]:
    """Say what a reader must know before trusting the figures; empty if there is nothing."""
    found = [*facts.audit_warnings, *_test_set(facts.test), *_training(facts)]
    test = facts.test
    if test.reliability.ece > max(_MISCALIBRATED, 2 * test.reliability.ece_by_chance):
        found.append(
            f"Scores and truth differ by {percent(test.reliability.ece)} on average: "
            "do not read a score as a probability."
        )
    return found


def _accuracy(test: Evaluation) -> str:
    what = "with every label right" if test.head == "multilabel" else "right"
    rate = test.accuracy
    return (
        f"{test.correct} of {test.count} held-out pictures were answered {what}: {percent(rate.value)}. With "
        f"95{_NBSP}% confidence, the rate for pictures like these lies between {percent(rate.low)} and "
        f"{percent(rate.high)}."
    )


def _calibration(calibration: Calibration, test: Evaluation) -> str:
    temperature = calibration.temperature
    effect = "bolder" if temperature < 1 else "more careful"
    done = f"Scores were made {effect} (temperature {temperature:.2f}: {calibration.reason})"
    if temperature == 1:
        done = f"Scores were left as they are: {calibration.reason}"
    return (
        f"{done}. On the held-out pictures, score and truth differ by {percent(test.reliability.ece)} on "
        f"average; perfectly calibrated scores would show about {percent(test.reliability.ece_by_chance)} by "
        "chance."
    )


def _weakest(test: Evaluation) -> list[str]:
    rated = [(one.f1.value, one) for one in test.classes if one.f1 is not None and one.support]
    if not rated or min(rate for rate, _ in rated) == 1:
        return []
    _, one = min(rated, key=lambda pair: pair[0])
    found = f"The weakest class is “{one.label}”: {one.correct} of its {one.support} pictures were found"
    return [f"{found}, and {one.correct} of the {one.predicted} pictures that got this label have it."]


def _test_set(test: Evaluation) -> list[str]:
    found = []
    if test.accuracy.high - test.accuracy.low > _WIDE:
        found.append(
            f"{test.count} held-out pictures are few: the accuracy may lie anywhere from "
            f"{percent(test.accuracy.low)} to {percent(test.accuracy.high)}."
        )
    if empty := [one.label for one in test.classes if not one.support]:
        found.append(f"No held-out picture shows {_listed(empty)}: nothing is known about it.")
    if few := [one.label for one in test.classes if 0 < one.support < _FEW_PICTURES]:
        found.append(f"Fewer than {_FEW_PICTURES} held-out pictures show {_listed(few)}.")
    if test.head != "multilabel":
        commonest = max(test.classes, key=lambda one: one.support)
        if test.accuracy.low <= commonest.support / test.count:
            found.append(
                f"The model is not clearly better than always answering “{commonest.label}”, which would be "
                f"right for {percent(commonest.support / test.count)}."
            )
    return found


def _training(facts: ReportFacts) -> list[str]:
    if not facts.history:
        return []
    found = []
    if facts.best_epoch >= len(facts.history) > 1:
        found.append("The last epoch was the best one: training longer may still help.")
    best = facts.history[min(facts.best_epoch, len(facts.history)) - 1]
    gap = best.get("accuracy", 0.0) - best.get("val_accuracy", best.get("accuracy", 0.0))
    if gap > _OVERFIT:
        found.append(
            f"Training accuracy is {percent(gap)} above validation accuracy: the network has learnt some "
            "pictures by heart."
        )
    return found


def _listed(labels: list[str]) -> str:
    named = ", ".join(f"“{label}”" for label in labels[:_NAMED])
    return named if len(labels) <= _NAMED else f"{named} and {len(labels) - _NAMED} more"
