"""What a person sees: a bar on a terminal, plain lines in a log."""

import io

import pytest

from pictor_training.fitting.progress import Bar, PlainLines, Progress, progress_on

ROW = {
    "epoch": 2.0,
    "loss": 0.51239,
    "accuracy": 0.75,
    "val_loss": 0.6,
    "val_accuracy": 0.7,
    "learning_rate": 0.002,
    "seconds": 1.25,
}
LINE = "epoch 2/40  loss 0.5124  accuracy 0.7500  val_loss 0.6000  val_accuracy 0.7000  rate 0.002  1.2 s"


class Terminal(io.StringIO):
    """A writer that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def run_one_epoch(progress: Progress, *, best: bool = False, left_s: float = 0.0) -> None:
    """Report an epoch of three steps, two of which are reported apart."""
    progress.epoch_began(2, 40, 3, 0)
    progress.step_done(0.5)
    progress.step_done(0.4)
    progress.epoch_ended(ROW, best=best, left_s=left_s)


def test_a_log_gets_one_plain_line_per_epoch() -> None:
    """No control characters, nothing per step."""
    out = io.StringIO()
    run_one_epoch(progress_on(out))
    assert f"{LINE}\n" == out.getvalue()


@pytest.mark.parametrize(
    ("left_s", "told"),
    [
        (12.0, "12.0 s"),
        (29.9, "29.9 s"),
        (31.0, "1 min"),
        (59 * 60, "59 min"),
        (3 * 3600 + 290, "3 h 05 min"),
    ],
)
def test_a_line_says_what_is_left_and_which_epoch_is_best(left_s: float, told: str) -> None:
    """At most, because early stopping may come first."""
    out = io.StringIO()
    run_one_epoch(PlainLines(out), best=True, left_s=left_s)
    assert f"{LINE}  at most {told} left  (best so far)\n" == out.getvalue()


def test_a_terminal_gets_a_bar_and_the_line_in_its_place() -> None:
    """The bar names the epoch and the running loss."""
    out = Terminal()
    progress = progress_on(out)
    assert isinstance(progress, Bar)
    run_one_epoch(progress)
    assert "epoch 2/40:   0%" in out.getvalue()
    assert out.getvalue().endswith(f"{LINE}\n")


def test_a_note_has_a_line_of_its_own() -> None:
    """Before the first epoch too."""
    out = Terminal()
    Bar(out).note("SIGTERM: writing the checkpoint.")
    assert out.getvalue() == "SIGTERM: writing the checkpoint.\n"


def test_a_bar_that_is_closed_leaves_the_line_to_others() -> None:
    """An error's message must not stand behind half a bar."""
    out = Terminal()
    bar = Bar(out)
    bar.epoch_began(1, 2, 10, 0)
    bar.step_done(0.5)
    bar.close()
    assert out.getvalue().endswith("\r")
