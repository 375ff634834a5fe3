"""Figures of a server that gains by batches, and then no more."""

from collections.abc import Callable
from typing import Any

import pytest

from pictor_tfs.tuning.figures import Figures, Timing

MILLISECONDS = {1: 10.0, 2: 14.0, 4: 22.0, 8: 40.0, 16: 78.0, 32: 155.0}
"""Two callers get 200, 286, 364, 400, 410 and 413 pictures a second."""


@pytest.fixture(name="figures_of")
def _figures_of() -> Callable[..., Figures]:
    """Make figures: `figures_of({1: 10.0, 2: 14.0}, repeats=3)`, in milliseconds."""

    def make(milliseconds: dict[int, float] | None = None, **changes: Any) -> Figures:
        given = MILLISECONDS if milliseconds is None else milliseconds
        values: dict[str, Any] = {
            "measured_at": "2026-11-24T04:00:00Z",
            "server": "a server of the tests",
            "model": "classifier",
            "version": 3,
            "input": (128, 128, 3),
            "largest_batch": 32,
            "concurrency": 2,
            "repeats": 5,
            "timings": tuple(Timing(pictures, one / 1000) for pictures, one in given.items()),
        }
        return Figures(**values | changes)

    return make
