"""One call from a built network and prepared pictures to trained weights."""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from pictor_contract import Head
from pictor_training.config.schema import TrainConfig
from pictor_training.errors import DataError, TrainingError
from pictor_training.fitting.batches import WHOLE, Examples, Part, balanced_weights, batch_count
from pictor_training.fitting.history import Row, write_history
from pictor_training.fitting.identity import identify
from pictor_training.fitting.loop import EpochLoop, Task
from pictor_training.fitting.optimiser import build_optimiser
from pictor_training.fitting.progress import Progress, progress_on
from pictor_training.fitting.snapshot import Snapshots
from pictor_training.fitting.steps import Steps
from pictor_training.fitting.stopping import StopRequest
from pictor_training.network.losses import accuracy_for, loss_for, targets_for
from pictor_training.run_folder import CHECKPOINT_FILE
from pictor_training.several.start import begin_alike
from pictor_training.several.steps import SharedSteps
from pictor_training.several.stopping import AgreedStop
from pictor_training.several.workers import Workers

if TYPE_CHECKING:
    from pictor_training.data.prepare import PreparedData


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a finished run has to show; its weights are in the model."""

    history: list[Row]
    best_epoch: int
    """From 1: the epoch whose weights the model has."""
    epochs_run: int
    seconds: float


def fit(  # noqa: PLR0913  # what is trained, on what, where, and with whom
    model: keras.Model,
    config: TrainConfig,
    data: "PreparedData",
    run: Path | None,
    *,
    resume: bool,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> FitResult:
    """Train `model` as `config` says and leave its best weights in it; `run` gets the curve and checkpoints.

    A run that was killed or interrupted goes on with `resume`, from its last checkpoint or, if there is none
    yet, from its beginning; history and weights become those of a run that was never stopped. The checkpoint
    is left for the caller to delete. While this runs in the main thread, SIGINT and SIGTERM end it after the
    step under way, by Interrupted.

    With `workers`, all of them call this at once, and all are moved by one step as one process would be; each
    draws its own numbers for dropout and noise. Worker 0 has the `run` and is left with the best weights; the
    others have none, begin where it begins, and stop where any of them is asked to.

    Raises:
        Interrupted, DivergedError: see the classes.
        ConfigError, DataError: the checkpoint is of another run; nothing to train or validate on.
        TrainingError: the checkpoint is damaged, or cannot be written. WorkerLost: see the class.

    """
    part = WHOLE if workers is None else Part(workers.index, workers.count)
    task = _compile(model, config, data, run, part)
    identity = identify(config, data)
    with StopRequest() as own, nullcontext() if workers is None else workers.losses_told():
        stop = own if workers is None else AgreedStop(own, workers)
        steps = _steps(task, data.head, stop)
        figures = steps.training.variables
        snapshots = Snapshots((run or Path()) / CHECKPOINT_FILE, identity, model, figures)
        shown = progress or progress_on(sys.stderr)
        loop = EpochLoop(task, steps, snapshots, shown, stop)
        if run is not None and snapshots.path.exists():
            if not resume:
                raise TrainingError(f"{run} holds a run already. Resume it, or start in a folder of its own.")
            loop.state = snapshots.restore()
            write_history(run, loop.state.history)
        if workers is not None:
            loop.state = begin_alike(workers, identity, snapshots.variables, loop.state)
        try:
            loop.run()
        finally:
            shown.close()
    if run is not None:
        snapshots.restore_best()
    history = loop.state.history
    return FitResult(
        history, loop.state.stopping.best_epoch, len(history), sum(row["seconds"] for row in history)
    )


def _steps(task: Task, head: Head, stop: StopRequest | AgreedStop) -> Steps | SharedSteps:
    if isinstance(stop, AgreedStop):
        return SharedSteps(task.model, head, task.examples, stop)
    return Steps(task.model, head, task.examples)


def _compile(
    model: keras.Model, config: TrainConfig, data: "PreparedData", run: Path | None, part: Part
) -> Task:
    for name, rows in (("train on", data.train), ("validate on", data.val)):
        if len(rows) == 0:
            raise DataError(
                f"There is no picture to {name}. Add pictures, or raise that part's share of them."
            )
    weights = np.ones(len(data.pictures), np.float32)
    if config.fit.class_weight == "balanced":
        weights[data.train] = balanced_weights(data.targets[data.train])
    steps_per_epoch = batch_count(len(data.train), config.fit.batch_size)
    model.compile(
        optimizer=build_optimiser(config.optimiser, steps_per_epoch, config.fit.epochs),
        loss=loss_for(data.head, config.fit.label_smoothing),
        metrics=[accuracy_for(data.head)],
    )
    model.optimizer.build(model.trainable_variables)
    examples = Examples(data.pictures, targets_for(data.targets, data.head), weights)
    return Task(model, config, examples, data.train, data.val, run, part)
