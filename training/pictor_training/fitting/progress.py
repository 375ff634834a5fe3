"""What a person sees while a run trains: a bar on a terminal, one plain line per epoch anywhere else."""

from typing import NoReturn, Protocol, TextIO

from tqdm import tqdm

from pictor_training.fitting.history import Row


class Progress(Protocol):
    """What the loop reports to."""

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Epoch `epoch` (from 1) of at most `epochs` begins; `done` of its `steps` are behind it already."""

    def step_done(self, loss: float) -> None:
        """One more step; `loss` is the epoch's so far, a step late."""

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Epoch over, with its figures; at most `left_s` seconds remain at this pace."""

    def note(self, text: str) -> None:
        """Anything else worth a line."""

    def close(self) -> None:
        """Nothing more comes, for whatever reason."""


class Silence:
    """Nobody is told anything: another process does."""

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Nothing."""

    def step_done(self, loss: float) -> None:
        """Nothing."""

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainLines:
    """One line per epoch, for logs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._epochs = 0

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Remember how many epochs there are."""
        self._epochs = epochs

    def step_done(self, loss: float) -> None:
        """Nothing: a log is not a bar."""

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Write the epoch's line."""
        self.note(_line(row, self._epochs, best=best, left_s=left_s))

    def note(self, text: str) -> None:
        """Write `text` on a line of its own."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def close(self) -> None:
        """Nothing: every line is complete."""


class Bar:
    """A bar of the epoch's steps below the lines of the epochs before it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._epochs = 0
        self._bar: tqdm[NoReturn] | None = None

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Draw the epoch's bar."""
        self._epochs = epochs
        self._bar = tqdm(
            total=steps,
            initial=done,
            desc=f"epoch {epoch}/{epochs}",
            unit="batch",
            leave=False,
            file=self._out,
        )

    def step_done(self, loss: float) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self._bar.update()

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Put the epoch's line in the place of its bar."""
        self.note(_line(row, self._epochs, best=best, left_s=left_s))

    def note(self, text: str) -> None:
        """Take the bar away and write `text`."""
        self.close()
        tqdm.write(text, file=self._out)

    def close(self) -> None:
        """Take the bar away, so that whatever is said next begins a line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def progress_on(out: TextIO) -> Progress:
    """Choose a bar if `out` is a terminal, plain lines if not."""
    return Bar(out) if out.isatty() else PlainLines(out)


def _line(row: Row, epochs: int, *, best: bool, left_s: float) -> str:
    figures = "  ".join(
        f"{name} {row[name]:.4f}" for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    )
    left = f"  at most {_duration(left_s)} left" if left_s else ""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  {figures}  rate {row['learning_rate']:.2g}"
        f"  {_duration(row['seconds'])}{left}{'  (best so far)' if best else ''}"
    )


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{seconds:.1f} s"
