"""One call from a network and pictures to trained weights: the curve, the best weights, the refusals."""

import csv
import signal
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import keras
import numpy as np
import pytest

from pictor_training.errors import ConfigError, DataError, DivergedError, Interrupted, TrainingError
from pictor_training.fitting.batches import Examples, balanced_weights, plain_batches, training_batches
from pictor_training.fitting.checkpoint import read_checkpoint
from pictor_training.fitting.fit import FitResult, fit
from pictor_training.fitting.history import COLUMNS, Row
from pictor_training.fitting.snapshot import Snapshots
from pictor_training.network.losses import accuracy_for, loss_for, targets_for
from pictor_training.run_folder import CHECKPOINT_FILE

PLAIN: dict[str, Any] = {
    "network": {
        "blocks": [{"filters": 4, "pool": 4}],
        "reduce": "average",
        "gaussian_noise": 0.0,
        "dense": [],
    },
    "augment": {"rotation_degrees": 0, "shift": 0, "zoom": 0, "brightness": 0},
}
"""The quickest network there is, without anything random."""

STILL = {"name": "sgd", "learning_rate": 1e-12, "weight_decay": 0.0}
"""Moves nothing, so that no epoch after the first is progress."""


class Counting:
    """Counts steps, and sends Ctrl-C after one of them."""

    def __init__(self, stop_after: int = 0) -> None:
        self.steps = 0
        self._stop_after = stop_after

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Nothing to count."""

    def step_done(self, loss: float) -> None:
        """Count."""
        self.steps += 1
        if self.steps == self._stop_after:
            signal.raise_signal(signal.SIGINT)

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Nothing to count."""

    def note(self, text: str) -> None:
        """Nothing to count."""

    def close(self) -> None:
        """Nothing to close."""


def train(
    small: ModuleType,
    run: Path,
    *,
    resume: bool = False,
    progress: Counting | None = None,
    **sections: dict[str, Any],
) -> tuple[keras.Model, FitResult]:
    """Train a new tiny network in the folder `run`."""
    config = small.small_config(**sections)
    model = small.small_model(config)
    result = fit(model, config, small.small_data(), run, resume=resume, progress=progress or Counting())
    return model, result


@pytest.fixture(scope="module")
def finished(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run two epochs to their end."""
    run = tmp_path_factory.mktemp("finished")
    train(small, run, fit={"epochs": 2}, **PLAIN)
    return run


def test_the_curve_is_the_one_of_keras_own_loop_on_the_same_batches(
    small: ModuleType, tmp_path: Path
) -> None:
    """Losses with their penalties, accuracies, partial batches: as `model.fit` counts them."""
    _, result = train(small, tmp_path, fit={"epochs": 2}, **PLAIN)
    config, data = small.small_config(fit={"epochs": 2}, **PLAIN), small.small_data()
    model = small.small_model(config)
    optimiser = keras.optimizers.AdamW(0.01, weight_decay=0.01)
    optimiser.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimiser, loss_for("binary"), metrics=[accuracy_for("binary")])
    examples = Examples(data.pictures, targets_for(data.targets, "binary"), np.ones(60, np.float32))
    for epoch, row in enumerate(result.history):
        batches = training_batches(examples, data.train, config, epoch, 0)
        validation = plain_batches(examples, data.val, 8)
        logs = model.fit(batches, validation_data=validation, verbose=0, shuffle=False).history
        assert {name: pytest.approx(values[0], rel=1e-4) for name, values in logs.items()} == {
            name: row[name] for name in logs
        }


def test_the_best_epoch_s_weights_are_left_and_the_curve_is_a_table(
    small: ModuleType, tmp_path: Path
) -> None:
    """The model scores the curve's lowest validation loss again; history.csv holds what is returned."""
    settings = {"optimiser": {"learning_rate": 0.3}, "fit": {"epochs": 4}, **PLAIN}
    model, result = train(small, tmp_path, **settings)
    losses = [row["val_loss"] for row in result.history]
    data = small.small_data()
    scored = model.evaluate(
        data.pictures[data.val], targets_for(data.targets, "binary")[data.val], verbose=0, return_dict=True
    )
    assert min(losses) == pytest.approx(scored["loss"], rel=1e-4)
    assert (losses.index(min(losses)) + 1, 4) == (result.best_epoch, result.epochs_run)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(COLUMNS) == list(rows[0])
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert result.history == [{name: float(value) for name, value in row.items()} for row in rows]
    assert sum(row["seconds"] for row in result.history) == result.seconds > 0


def test_training_stops_when_patience_ends(small: ModuleType, tmp_path: Path) -> None:
    """One epoch of progress, two without."""
    fit_settings = {"epochs": 9, "early_stopping_patience": 2, "monitor": "val_accuracy"}
    _, result = train(small, tmp_path, optimiser=STILL, fit=fit_settings, **PLAIN)
    assert (result.epochs_run, result.best_epoch) == (3, 1)


def test_the_rate_falls_on_a_plateau(small: ModuleType, tmp_path: Path) -> None:
    """Each epoch without progress halves it; the row of an epoch holds the rate it was trained with."""
    _, result = train(small, tmp_path, optimiser={**STILL, "plateau_patience": 1}, fit={"epochs": 4}, **PLAIN)
    rates = [row["learning_rate"] for row in result.history]
    assert rates == pytest.approx([1e-12, 1e-12, 0.5e-12, 0.25e-12], rel=1e-6, abs=0)


def test_class_weights_weigh_training_and_not_validation(small: ModuleType, tmp_path: Path) -> None:
    """Both losses are computed again from the scores of a model that does not move."""
    settings = {**PLAIN, "network": {**PLAIN["network"], "l2": 0.0}}
    fit_settings = {"epochs": 1, "class_weight": "balanced"}
    model, result = train(small, tmp_path, optimiser=STILL, fit=fit_settings, **settings)
    data = small.small_data()
    targets = targets_for(data.targets, "binary")
    losses = keras.losses.binary_crossentropy(targets, model.predict(data.pictures, verbose=0)).numpy()
    weights = balanced_weights(data.targets[data.train])
    assert len(set(weights.tolist())) == 2
    assert result.history[0]["loss"] == pytest.approx((losses[data.train] * weights).mean(), rel=1e-4)
    assert result.history[0]["val_loss"] == pytest.approx(losses[data.val].mean(), rel=1e-4)


@pytest.mark.parametrize("head", ["multiclass", "multilabel"])
def test_the_other_heads_train_too(small: ModuleType, tmp_path: Path, head: str) -> None:
    """Each has its loss, its accuracy and its targets; binary is what the other tests use."""
    config = small.small_config(fit={"epochs": 1}, **PLAIN)
    model = small.small_model(config, head)
    result = fit(model, config, small.small_data(head), tmp_path, resume=False, progress=Counting())
    assert 0 < result.history[0]["val_accuracy"] <= 1


@pytest.mark.parametrize(
    ("batch_size", "message"),
    [
        (8, r"The loss is (nan|inf) in epoch 1, step 2 of 6, at a learning rate of 1e\+30\. .*learning_rate"),
        (64, r"The validation loss is (nan|inf) in epoch 1, step 1 of 1"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run(
    small: ModuleType, tmp_path: Path, batch_size: int, message: str
) -> None:
    """It is said where and what to change, and no checkpoint holds the ruins."""
    optimiser = {"name": "sgd", "learning_rate": 1e30}
    fit_settings = {"batch_size": batch_size, "checkpoint_every_s": 1e-9}
    with pytest.raises(DivergedError, match=message):
        train(small, tmp_path, optimiser=optimiser, fit=fit_settings, **PLAIN)
    assert (
        read_checkpoint(tmp_path / CHECKPOINT_FILE).state.epoch,
        read_checkpoint(tmp_path / CHECKPOINT_FILE).state.step,
    ) == (0, 1)


def test_an_interrupted_run_goes_on_to_the_same_numbers(small: ModuleType, tmp_path: Path) -> None:
    """Stopped twice within epochs of six steps. Nothing else about the run is remembered than its folder.

    Nadam, because Keras hides a part of its state.
    """
    settings = {"optimiser": {"name": "nadam"}, "fit": {"epochs": 2}}
    straight = train(small, tmp_path / "straight", resume=True, **settings)
    before = signal.getsignal(signal.SIGINT)
    hint = rf"Stopped by SIGINT in epoch 1, after step 3 of 6.*pictor train --resume {tmp_path}/cut"
    with pytest.raises(Interrupted, match=hint):
        train(small, tmp_path / "cut", progress=Counting(stop_after=2), **settings)
    assert before is signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="in epoch 2, after step 2 of 6"):
        train(small, tmp_path / "cut", resume=True, progress=Counting(stop_after=3), **settings)
    resumed = train(small, tmp_path / "cut", resume=True, **settings)
    assert small.curve(straight[1].history) == small.curve(resumed[1].history)
    assert small.digest(straight[0]) == small.digest(resumed[0])


class StopLater:
    """Stands in for a stop request that comes while the loop looks for it the nth time."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    @property
    def received(self) -> str | None:
        """One look more."""
        self._left -= 1
        return None if self._left > 0 else "SIGTERM"


@pytest.mark.parametrize(("looks", "epoch", "step"), [(8, 1, 6), (10, 2, 0)])
def test_a_stop_during_validation_or_after_the_last_step_loses_nothing(
    small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, epoch: int, step: int
) -> None:
    """Six looks are the training steps, three the validation's, the tenth comes before the return."""
    settings = {"fit": {"epochs": 1}, **PLAIN}
    straight = train(small, tmp_path / "straight", **settings)
    with monkeypatch.context() as patch:
        patch.setattr("pictor_training.fitting.fit.StopRequest", lambda: StopLater(looks))
        with pytest.raises(Interrupted, match=f"SIGTERM in epoch {epoch}, after step {step} of 6"):
            train(small, tmp_path / "cut", **settings)
    resumed = train(small, tmp_path / "cut", resume=True, **settings)
    assert small.curve(straight[1].history) == small.curve(resumed[1].history)
    assert small.digest(straight[0]) == small.digest(resumed[0])


def test_a_finished_run_is_not_trained_further(small: ModuleType, finished: Path) -> None:
    """Resumed, it returns result and best weights at once; settings that no weight depends on may differ."""
    counting = Counting()
    fit_settings = {"epochs": 2, "checkpoint_every_s": 1.0}
    model, result = train(small, finished, resume=True, progress=counting, fit=fit_settings, **PLAIN)
    assert (counting.steps, result.epochs_run) == (0, 2)
    best = read_checkpoint(finished / CHECKPOINT_FILE).groups["best"]
    assert [one.tobytes() for one in best] == [one.tobytes() for one in model.get_weights()]


def test_a_new_run_does_not_overwrite_another(small: ModuleType, finished: Path) -> None:
    """Without `resume`, a folder that holds a run is refused."""
    with pytest.raises(TrainingError, match="holds a run already"):
        train(small, finished, fit={"epochs": 2}, **PLAIN)


def test_another_configuration_is_refused_by_name(small: ModuleType, finished: Path) -> None:
    """The message says which settings differ and how."""
    with pytest.raises(
        ConfigError, match=r"fit\.epochs was 2 and is 5; optimiser\.learning_rate was 0\.01 and is 0\.5\."
    ):
        train(small, finished, resume=True, fit={"epochs": 5}, optimiser={"learning_rate": 0.5}, **PLAIN)


def test_other_pictures_are_refused(small: ModuleType, finished: Path) -> None:
    """Another fingerprint, label or split."""
    config, data = small.small_config(fit={"epochs": 2}, **PLAIN), small.small_data()
    for other in (
        replace(data, fingerprint="other"),
        replace(data, targets=data.targets[:, ::-1]),
        replace(data, train=data.train[1:]),
        replace(data, val=data.val[1:]),
    ):
        with pytest.raises(DataError, match="belongs to other pictures"):
            fit(small.small_model(config), config, other, finished, resume=True, progress=Counting())


def test_another_network_is_refused_and_left_as_it_is(small: ModuleType, finished: Path) -> None:
    """Shapes are compared before the first variable is touched."""
    config = small.small_config(**{**PLAIN, "network": {**PLAIN["network"], "blocks": [{"filters": 5}]}})
    model = small.small_model(config)
    model.compile(keras.optimizers.SGD())
    identity = read_checkpoint(finished / CHECKPOINT_FILE).run
    before = small.digest(model)
    with pytest.raises(
        TrainingError, match=r"of another network: its model holds 4 arrays where 4 are needed, first"
    ):
        Snapshots(finished / CHECKPOINT_FILE, identity, model, []).restore()
    assert before == small.digest(model)


@pytest.mark.parametrize("part", ["train", "val"])
def test_nothing_to_train_or_validate_on_is_refused(small: ModuleType, tmp_path: Path, part: str) -> None:
    """Before anything is written."""
    config, data = small.small_config(**PLAIN), small.small_data()
    with pytest.raises(DataError, match="There is no picture to"):
        fit(small.small_model(config), config, replace(data, **{part: np.arange(0)}), tmp_path, resume=False)
    assert list(tmp_path.iterdir()) == []
