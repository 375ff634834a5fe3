"""The paired test: exact where it is small, and what it lets through and holds, by simulation."""

import re
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pictor_training.retraining.gate import regression
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.mcnemar import Comparison, compare
from pictor_training.retraining.gate.paired import Paired
from pictor_training.retraining.gate.regression import regression_checks

CONFIG = GateConfig()
CLASSES = 10
NIGHTS = 400


@pytest.mark.parametrize(
    ("lost", "won", "chance"),
    [(5, 0, 1 / 32), (0, 0, 1.0), (0, 4, 1.0), (1, 0, 0.5), (3, 1, 5 / 16), (8, 2, 56 / 1024)],
)
def test_the_probability_is_that_of_tossed_coins(lost: int, won: int, chance: float) -> None:
    """At least so many of the pictures that tell the two apart, each a fair coin."""
    assert chance == pytest.approx(Comparison(100, 50, 50 + won - lost, lost, won).p_value)


@pytest.mark.parametrize(("pictures", "lost", "exceeds"), [(100, 1, False), (100, 2, True), (99, 1, True)])
def test_the_margin_is_counted_in_pictures(pictures: int, lost: int, exceeds: bool) -> None:
    """Exactly the margin is allowed, whatever 0.01 is in binary."""
    assert exceeds is Comparison(pictures, lost, 0, lost, 0).exceeds(0.01)


def test_only_pictures_that_tell_the_two_apart_are_counted() -> None:
    """Both right and both wrong say nothing about which is better."""
    right = np.array([1, 1, 1, 0, 0], np.bool_), np.array([1, 0, 0, 1, 0], np.bool_)
    assert Comparison(5, 3, 2, 2, 1) == compare(*right)


def _paired(lost: Any, won: Any, known: Any = None) -> Paired:
    """Return pictures of CLASSES classes in turn that one side answers wrongly."""
    count = len(lost)
    present = np.eye(CLASSES, dtype=np.bool_)[np.arange(count) % CLASSES]
    champion, challenger = (np.where(wrong[:, None], ~present, present) for wrong in (won, lost))
    return Paired(
        answers=SimpleNamespace(champion=SimpleNamespace(version=1)),  # type: ignore[arg-type]  # all that is read
        labels=tuple(map(str, range(CLASSES))),
        places=np.arange(count),
        known=np.ones(count, np.bool_) if known is None else known,
        present=present,
        champion=champion,
        challenger=challenger,
        left_out={},
    )


def _held(count: int, worse: float, better: float, rng: np.random.Generator, new: int = 0) -> float:
    """Return how many of NIGHTS are held when so large shares are lost and won."""
    held = 0
    for _ in range(NIGHTS):
        drawn = rng.random(count + new)
        lost, won = drawn < worse, (drawn >= worse) & (drawn < worse + better)
        paired = _paired(lost, won, np.arange(count + new) < count)
        held += any(check.outcome == "hold" for check in regression_checks(paired, CONFIG))
    return held / NIGHTS


def _table() -> dict[str, dict[int, float]]:
    """Read the figures that the module's docstring states."""
    lines = [line for line in (regression.__doc__ or "").splitlines() if re.search(r"\d %|held-out", line)]
    head, *rows = [re.split(r"\s{2,}", line.strip()) for line in lines if re.search(r"\s{3,}\d", line)]
    sizes = [int(size) for size in head[1:]]
    return {
        name: dict(zip(sizes, [int(c.rstrip(" %")) / 100 for c in cells], strict=True))
        for name, *cells in rows
    }


def test_the_table_in_the_docstring_is_true() -> None:
    """How often equal, better and worse challengers are held, within what so few nights can show."""
    rng = np.random.default_rng(1)
    table = _table()
    shares = {
        "held though equal": (0.03, 0.03, True),
        "held, 2 points up": (0.03, 0.05, True),
        "passed, 5 worse": (0.08, 0.03, False),
        "passed, 20 worse": (0.23, 0.03, False),
    }
    assert shares.keys() == table.keys()
    for (name, (worse, better, counts_held)), size in product(shares.items(), (30, 100, 300, 1000)):
        held = _held(size, worse, better, rng)
        found = held if counts_held else 1 - held
        assert table[name][size] == pytest.approx(found, abs=0.07), (name, size)


@pytest.mark.parametrize(
    ("support", "before", "after", "holds"),
    [
        (5, 5, 0, True),
        (3, 3, 0, True),
        (2, 2, 0, False),
        (40, 40, 35, True),
        (40, 40, 37, False),
        (9, 9, 6, False),
    ],
)
def test_a_class_is_held_for_what_is_no_accident(support: int, before: int, after: int, holds: bool) -> None:
    """Small classes neither block for ever nor hide a disaster."""
    found = Comparison(support, before, after, before - after, 0)
    assert holds is regression._has_fallen(found, CONFIG)
