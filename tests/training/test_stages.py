"""What a person sees of the stages around training."""

import io

import pytest

from pictor_training import stages
from pictor_training.stages import StageReport


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_short_stage_leaves_no_line_in_a_log() -> None:
    """What takes a moment is not worth reading."""
    out = io.StringIO()
    report = StageReport(out)
    for done in range(1, 5):
        report("score", done, 4)
    assert "" == out.getvalue()


def test_a_long_stage_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once every few seconds a line says how much is done."""
    clock = iter(range(0, 100, 3))
    monkeypatch.setattr(stages, "monotonic", lambda: float(next(clock)))
    out = io.StringIO()
    report = StageReport(out)
    for done in range(1, 5):
        report("score", done, 4)
    assert "score 2/4\nscore 4/4\n" == out.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    """The bar shows the stage's name and goes when the stage is over."""
    out = Terminal()
    report = StageReport(out)
    report("score", 1, 2)
    assert "score" in out.getvalue()
    report("score", 2, 2)
    report.line("done")
    assert out.getvalue().endswith("done\n")
