"""Rows for the report's tables: numbers turned into what the template only has to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pictor_training.evaluation import Estimate, Evaluation
from pictor_training.report.words import interval, percent

LISTED: Final = 20
"""Entries of a list that are shown; an audit may name thousands of files."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One large figure of the summary."""

    title: str
    figure: str
    note: str
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the confusion table; `share` is of its row."""

    count: int
    share: float
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Confused:
    """How often one class was taken for another."""

    truth: str
    answer: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Fact:
    """A name with a text, or with facts of its own."""

    name: str
    text: str
    inner: tuple["Fact", ...] = ()


def tiles(test: Evaluation) -> list[Tile]:
    """Choose the figures that the head has."""
    multilabel = test.head == "multilabel"
    rate = "All labels right" if multilabel else "Accuracy"
    shown = [Tile(rate, percent(test.accuracy.value), interval(test.accuracy), test.accuracy)]
    for title, estimate in (("Micro F1", test.micro_f1), ("Macro F1", test.macro_f1)):
        if estimate is not None:
            shown.append(Tile(title, percent(estimate.value), interval(estimate), estimate))
    if not multilabel and test.balanced_accuracy is not None:
        balanced = test.balanced_accuracy
        shown.append(Tile("Balanced accuracy", percent(balanced.value), interval(balanced), balanced))
    if test.roc_auc is not None:
        shown.append(Tile("ROC AUC", f"{test.roc_auc:.3f}", "1 is perfect, 0.5 is chance"))
    by_chance = f"about {percent(test.reliability.ece_by_chance)} by chance"
    shown.append(Tile("Calibration error", percent(test.reliability.ece), by_chance))
    return shown


def confusion_rows(confusion: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Rows are true classes, columns answers."""
    return [
        [Cell(count, count / max(sum(row), 1), i == j) for j, count in enumerate(row)]
        for i, row in enumerate(confusion)
    ]


def most_confused(test: Evaluation, *, limit: int = 8) -> list[Confused]:
    """Return the pairs that were mixed up most often."""
    pairs = [
        Confused(test.labels[i], test.labels[j], cell.count, cell.share)
        for i, row in enumerate(confusion_rows(test.confusion or ()))
        for j, cell in enumerate(row)
        if cell.count and not cell.is_hit
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit]


def facts_of(data: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Turn plain data into names and texts, whatever its depth; what is long is cut and says so.

    Only the outermost names are made readable: further in they may be names of classes and files.
    """
    return tuple(_fact(name.replace("_", " "), value) for name, value in data.items())


def _fact(name: str, value: object, depth: int = 0) -> Fact:
    if not isinstance(value, Mapping | Sequence) or isinstance(value, str) or not value:
        return Fact(name, _text(value))
    mapped = isinstance(value, Mapping)
    pairs = list(value.items()) if isinstance(value, Mapping) else [("", one) for one in value]
    flat = not any(isinstance(one, Mapping | list | tuple) for _, one in pairs)
    shown, more = pairs[:LISTED], _more(len(pairs) - LISTED)
    if flat and (depth or not mapped):
        texts = [f"{key}: {_text(one)}" if mapped else _text(one) for key, one in shown]
        return Fact(name, ", ".join([*texts, *(one.text for one in more)]))
    return Fact(name, "", (*(_fact(str(key), one, depth + 1) for key, one in shown), *more))


def _more(hidden: int) -> tuple[Fact, ...]:
    return (Fact("", f"and {hidden} more"),) if hidden > 0 else ()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value in (None, "", [], (), {}) else str(value)
