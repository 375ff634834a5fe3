"""Epoch by epoch: train, validate, judge, save. Any step may be the last: the next run goes on from it."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import keras
import numpy as np
from numpy.typing import NDArray

from pictor_training.config.schema import TrainConfig
from pictor_training.errors import DivergedError, Interrupted
from pictor_training.fitting.batches import (
    WHOLE,
    Examples,
    Part,
    batch_count,
    plain_batches,
    training_batches,
)
from pictor_training.fitting.history import Row, write_history
from pictor_training.fitting.progress import Progress
from pictor_training.fitting.snapshot import Snapshots
from pictor_training.fitting.state import RunState
from pictor_training.fitting.stopping import Stop
from pictor_training.run_folder import how_to_resume

if TYPE_CHECKING:
    from pictor_training.fitting.steps import Steps
    from pictor_training.several.steps import SharedSteps

_PLATEAU_LEAST: Final = 1e-4
"""What counts as progress for the plateau, as in Keras' ReduceLROnPlateau: less is a plateau."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained on what; `train` and `val` are row numbers of `examples`.

    `part` is this process's part of each batch. Without `run`, which another process has, nothing is written.
    """

    model: keras.Model
    config: TrainConfig
    examples: Examples
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    run: Path | None
    part: Part = WHOLE


class EpochLoop:
    """Trains from where `state` stands to the last epoch, or until patience ends."""

    def __init__(
        self,
        task: Task,
        steps: "Steps | SharedSteps",
        snapshots: Snapshots,
        progress: Progress,
        stop: Stop,
    ) -> None:
        self.state = RunState()
        self._task = task
        self._steps = steps
        self._snapshots = snapshots
        self._progress = progress
        self._stop = stop
        self._step_count = batch_count(len(task.train), task.config.fit.batch_size)
        self._validation = plain_batches(task.examples, task.val, task.config.fit.batch_size, task.part)
        self._epoch_began = self._saved = time.monotonic()

    def run(self) -> None:
        """Run the epochs that are left.

        Raises:
            Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
            DivergedError: a loss is not finite; the checkpoint before it stays.
            TrainingError: a file could not be written.

        """
        while not self._finished():
            self._epoch_began = time.monotonic() - self.state.epoch_seconds
            self._train()
            self._validate()
            self._judge()
        self._steps.settle()
        if self._stop.received:  # after the last step: the caller must not go on as if nothing had come
            self._interrupt()

    def _finished(self) -> bool:
        fit = self._task.config.fit
        impatient = fit.early_stopping_patience is not None and (
            self.state.stopping.waited >= fit.early_stopping_patience
        )
        return impatient or self.state.epoch >= fit.epochs

    def _train(self) -> None:
        task, state = self._task, self.state
        self._progress.epoch_began(state.epoch + 1, task.config.fit.epochs, self._step_count, state.step)
        running: Any = None  # a tensor once there is one
        batches = training_batches(task.examples, task.train, task.config, state.epoch, state.step, task.part)
        for batch in batches:
            before, running = running, self._steps.train(*batch)
            state.step += 1
            if before is not None:  # looked at a step late, so that an accelerator never waits for Python
                self._refuse_divergence("loss", float(before), state.step - 1)
                self._progress.step_done(float(before))
            self._between_steps()
        self._refuse_divergence("loss", self._steps.training.read()[0], state.step)

    def _validate(self) -> None:
        self._steps.validation.reset()
        for batch in self._validation:
            self._steps.validate(*batch)
            if self._stop.received:
                self._interrupt()  # the epoch's training is saved as done; its validation begins anew
        self._refuse_divergence("validation loss", self._steps.validation.read()[0], self.state.step)

    def _judge(self) -> None:
        row = self._row()
        best = self._watch(row)
        state = self.state
        state.history.append(row)
        state.epoch, state.step = state.epoch + 1, 0
        self._steps.training.reset()
        self._epoch_began = time.monotonic()
        self._save()
        if self._task.run is not None:
            write_history(self._task.run, state.history)
        left = 0 if self._finished() else self._task.config.fit.epochs - state.epoch
        pace = sum(one["seconds"] for one in state.history) / len(state.history)
        self._progress.epoch_ended(row, best=best, left_s=left * pace)

    def _row(self) -> Row:
        loss, accuracy = self._steps.training.read()
        val_loss, val_accuracy = self._steps.validation.read()
        return {
            "epoch": float(self.state.epoch + 1),
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": self._rate(),
            "seconds": round(time.monotonic() - self._epoch_began, 3),
        }

    def _watch(self, row: Row) -> bool:
        config, state, epoch = self._task.config, self.state, self.state.epoch + 1
        monitored, higher = row[config.fit.monitor], config.fit.monitor == "val_accuracy"
        if config.optimiser.plateau_patience is not None:
            state.plateau.saw(monitored, epoch, higher_is_better=higher, least=_PLATEAU_LEAST)
            if state.plateau.waited >= config.optimiser.plateau_patience:
                state.plateau.waited = 0
                self._task.model.optimizer.learning_rate.assign(
                    row["learning_rate"] * config.optimiser.plateau_factor
                )
        best = state.stopping.saw(monitored, epoch, higher_is_better=higher)
        if best:
            self._snapshots.keep_best()
        return best

    def _between_steps(self) -> None:
        if self._stop.received:
            self._interrupt()
        if time.monotonic() - self._saved >= self._task.config.fit.checkpoint_every_s:
            self._save()

    def _save(self) -> None:
        self._refuse_divergence("loss", self._steps.training.read()[0], self.state.step)
        self.state.epoch_seconds = time.monotonic() - self._epoch_began
        if self._task.run is not None:
            self._snapshots.save(self.state)
        self._saved = time.monotonic()

    def _interrupt(self) -> NoReturn:
        self._progress.note(f"{self._stop.received}: writing the checkpoint.")
        self._save()
        raise Interrupted(
            f"Stopped by {self._stop.received} in epoch {self.state.epoch + 1}, after step {self.state.step} "
            f"of {self._step_count}. Nothing is lost. {self._way_on()}"
        )

    def _way_on(self) -> str:
        if self._task.run is None:
            return "Go on with: the same command on all workers"
        everywhere = " (on all workers)" if self._task.part.of > 1 else ""
        return f"Go on with{everywhere}: {how_to_resume(self._task.run)}"

    def _refuse_divergence(self, what: str, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"The {what} is {loss} in epoch {self.state.epoch + 1}, step {step} of {self._step_count}, "
                f"at a learning rate of {self._rate():.3g}. Start a new run with a lower "
                "optimiser.learning_rate, or with optimiser.clip_global_norm=1."
            )

    def _rate(self) -> float:
        return float(self._task.model.optimizer.learning_rate)
