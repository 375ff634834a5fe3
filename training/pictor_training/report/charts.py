"""Which figures a run gets, each with its title, its note and the words it is announced with."""

from collections.abc import Sequence
from dataclasses import dataclass

from pictor_training.report.facts import ReportFacts
from pictor_training.report.plots import confusion_map, curve, reliability_diagram
from pictor_training.report.svg import inline_svg
from pictor_training.report.words import percent


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of the page; `svg` is markup of our own making, safe to print as it is."""

    title: str
    svg: str
    note: str = ""


def learning_charts(facts: ReportFacts) -> list[Chart]:
    """Draw what was measured over the epochs: loss, accuracy, learning rate."""
    charts = []
    for title, key in (("Loss", "loss"), ("Accuracy", "accuracy"), ("Learning rate", "learning_rate")):
        figure = curve(facts.history, key, facts.best_epoch)
        if figure is not None:
            spoken = f"{title} over {len(facts.history)} epochs; best epoch {facts.best_epoch}"
            charts.append(Chart(title, inline_svg(figure, spoken)))
    return charts


def reliability_charts(facts: ReportFacts) -> list[Chart]:
    """Draw the held-out pictures and, where there were any, the validation pictures before and after."""
    held_out, fitted = facts.test.reliability, facts.calibration
    title, note = "Held-out pictures", f"Calibration error {percent(held_out.ece)}."
    svg = inline_svg(reliability_diagram(held_out, None), f"{title}: reliability. {note}")
    charts = [Chart(title, svg, note)]
    if fitted.before is not None and fitted.after is not None:
        title = "Validation pictures, before and after calibration"
        note = (
            f"Calibration error {percent(fitted.before.ece)} before, {percent(fitted.after.ece)} after; "
            f"negative log-likelihood {fitted.nll_before:.4f} before, {fitted.nll_after:.4f} after."
        )
        svg = inline_svg(reliability_diagram(fitted.after, fitted.before), f"{title}: reliability. {note}")
        charts.append(Chart(title, svg, note))
    return charts


def confusion_chart(confusion: Sequence[Sequence[int]]) -> Chart:
    """Draw the map that stands for a confusion table of many classes."""
    title = "Confusion map: one row of shares for each true class"
    return Chart(title, inline_svg(confusion_map(confusion), title))
