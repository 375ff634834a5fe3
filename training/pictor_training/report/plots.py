"""The report's figures. Each is a Figure of its own: no pyplot, hence no state that outlives a call."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pictor_training.evaluation import Bin, Reliability
from pictor_training.report.svg import FIRST, INK, LINE, MUTED, SECOND

History = Sequence[Mapping[str, float]]

_UNITS_PER_INCH: Final = 72  # an SVG of matplotlib's is measured in points
_HIT: Final = (0.16, 0.45, 0.86)
_MISS: Final = (0.91, 0.38, 0.13)


def curve(history: History, name: str, best_epoch: int) -> Figure | None:
    """Draw `name` and its validation twin over the epochs; None if it was not measured."""
    figure, axes = _figure(350, 230)
    drawn = [_line(axes, history, key, colour) for key, colour in ((name, FIRST), (f"val_{name}", SECOND))]
    if not any(drawn):
        return None
    axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
    axes.set_xlabel("epoch", color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if "accuracy" in name:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    else:
        axes.set_ylim(bottom=0)
    return figure


def reliability_diagram(after: Reliability, before: Reliability | None) -> Figure:
    """Draw accuracy over confidence with 95 % whiskers, and below how many answers each bin holds."""
    figure, (axes, below) = _figures(460, 400, heights=[3, 1])
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
    if before is not None:
        _points(axes, before, SECOND, filled=False)
    _points(axes, after, FIRST, filled=True)
    for one in (bin_ for bin_ in after.bins if bin_.count):
        below.bar(
            (one.low + one.high) / 2, one.count, width=(one.high - one.low) * 0.86, color=FIRST, alpha=0.55
        )
    least = min(one.low for part in (after, before) if part is not None for one in part.bins if one.count)
    for both in (axes, below):
        both.set_xlim(max(0.0, least - 0.02), 1.02)
        both.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("were right", color=MUTED)
    axes.tick_params(labelbottom=False)
    below.set_ylabel("answers", color=MUTED)
    below.set_xlabel("the model said", color=MUTED)
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return figure


def confusion_map(confusion: Sequence[Sequence[int]]) -> Figure:
    """Draw each true class as one row of shares: for more classes than a table of numbers can show."""
    counts = np.array(confusion, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pixels = np.zeros((*shares.shape, 4))
    pixels[..., :3] = _MISS
    pixels[np.eye(len(shares), dtype=bool), :3] = _HIT
    pixels[..., 3] = np.sqrt(shares)  # the root lifts a few percent of mistakes into sight
    figure, axes = _figure(760, 740)
    axes.imshow(pixels, interpolation="none", extent=(0.5, len(shares) + 0.5, len(shares) + 0.5, 0.5))
    axes.grid(visible=False)
    axes.set_xlabel("answered class, by its number in the table", color=MUTED)
    axes.set_ylabel("true class", color=MUTED)
    return figure


def _points(axes: Axes, part: Reliability, colour: str, *, filled: bool) -> None:
    bins = [(one, one.accuracy) for one in part.bins if one.accuracy is not None]
    across = [_centre(one) for one, _ in bins]
    up = [accuracy.value for _, accuracy in bins]
    if filled:
        reach = [[a.value - a.low for _, a in bins], [a.high - a.value for _, a in bins]]
        axes.errorbar(across, up, reach, fmt="none", ecolor=colour, elinewidth=1.5, alpha=0.45, zorder=2)
    axes.plot(across, up, color=colour, linewidth=1.5, alpha=1 if filled else 0.7, zorder=3)
    axes.scatter(
        across, up, s=34, zorder=4, facecolors=colour if filled else "none", edgecolors=colour, linewidths=1.5
    )


def _centre(one: Bin) -> float:
    return (one.low + one.high) / 2 if one.confidence is None else one.confidence


def _line(axes: Axes, history: History, key: str, colour: str) -> bool:
    points = [(row["epoch"], row[key]) for row in history if math.isfinite(row.get(key, math.nan))]
    if points:
        marker = "o" if len(points) <= _MARKED else None
        axes.plot(
            *zip(*points, strict=True), color=colour, linewidth=2, marker=marker, markersize=4, zorder=3
        )
    return bool(points)


_MARKED: Final = 12
"""Up to so many epochs each point is marked; a single epoch would be invisible otherwise."""


def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    figure, (axes,) = _figures(width, height, heights=[1])
    return figure, axes


def _figures(width: int, height: int, *, heights: list[int]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width / _UNITS_PER_INCH, height / _UNITS_PER_INCH), layout="constrained")
    drawn = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    for axes in drawn[:, 0]:
        _dress(axes)
    return figure, list(drawn[:, 0])


def _dress(axes: Axes) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.grid(axis="y", color=LINE, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=12, length=0)
    axes.xaxis.label.set_fontsize(12)
    axes.yaxis.label.set_fontsize(12)
