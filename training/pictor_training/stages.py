"""Progress of the stages around training: a bar on a terminal, a line now and then anywhere else."""

from time import monotonic
from typing import Never, TextIO

from tqdm import tqdm

LINE_EVERY_S = 5.0
"""Seconds; a stage that is shorter needs no line."""


class StageReport:
    """Called as `report(stage, done, total)`; a stage is over when `done` reaches `total`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._stage = ""
        self._bar: tqdm[Never] | None = None
        self._told = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` are behind this stage."""
        if stage != self._stage:
            self._begin(stage, total)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif (now := monotonic()) - self._told >= LINE_EVERY_S:
            self._told = now
            self.line(f"{stage} {done}/{total}")
        if done >= total:
            self.end()

    def line(self, text: str) -> None:
        """Write `text` on a line of its own."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Take the bar away: the stage is over, or nothing more comes of it."""
        self._stage = ""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, stage: str, total: int) -> None:
        self.end()
        self._stage, self._told = stage, monotonic()
        if self._out.isatty():
            self._bar = tqdm(total=total, desc=stage, unit="picture", leave=False, file=self._out)
