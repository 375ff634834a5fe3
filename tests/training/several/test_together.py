"""Two processes that train together: the numbers of one, an agreed stop, an end in bounded time.

Four processes do it all: the first pair trains until one of them is sent SIGTERM, the second pair goes on and
trains until one of them is killed. What one process alone does is trained in the test's own.
"""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from pictor_training.fitting.fit import FitResult, fit
from pictor_training.fitting.progress import Silence

WITHOUT_CHANCE: dict[str, Any] = {
    "network": {
        "blocks": [{"filters": 4, "batch_norm": True, "pool": 4, "dropout": 0.0}],
        "gaussian_noise": 0.0,
    },
    "optimiser": {"clip_global_norm": 0.5, "schedule": "cosine"},
    "fit": {"epochs": 3, "batch_size": 7, "class_weight": "balanced"},
}
"""All that a step hangs on but layers that draw: batch norm, penalty, clipping, weights, augmentation.

43 pictures in batches of 7 for two workers: parts of 3 and 4 pictures, and a last batch of one.
"""

WITH_CHANCE: dict[str, Any] = {"fit": {"epochs": 4}}
"""Dropout and noise as well; six steps an epoch."""

LONG: dict[str, Any] = {"fit": {"epochs": 500, "early_stopping_patience": None}}

Results = dict[str, Any]

pytestmark = pytest.mark.timeout(600)  # four starts of TensorFlow in a fixture, on a machine that may be busy


@pytest.fixture(scope="module")
def done(together: Callable[..., Any], program: str, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Exit codes, last words and results of both pairs."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"run": str(folder / name), "config": config, **more}

    other = {**WITH_CHANCE, "optimiser": {"learning_rate": 0.5}}
    tasks = [
        run("refused", WITH_CHANCE, others=other),
        run("alike", WITHOUT_CHANCE),
        run("straight", WITH_CHANCE),
        run("cut", WITH_CHANCE),
    ]
    first = together(program, json.dumps(tasks))
    lines = first.read(2, b"result ")
    lines += first.read(9, b"step")
    first.send(1, signal.SIGTERM)
    stopped = first.ends()
    second = together(program, json.dumps([tasks[-1], run("long", LONG)]))
    lines += second.read(1, b"result ")
    lines += second.read(5, b"step")
    second.send(1, signal.SIGSTOP)
    second.read_until_silent()  # so that it hears of the death, not ten seconds later by missing heartbeats
    second.send(1, signal.SIGKILL)
    began = time.monotonic()
    killed = second.ends()
    results = [json.loads(line.removeprefix(b"result ")) for line in lines if line.startswith(b"result ")]
    names = ("alike", "straight", "cut")
    facts = {"folder": folder, "stopped": stopped, "killed": killed, "took": time.monotonic() - began}
    return {**facts, **dict(zip(names, results, strict=True))}


def alone(small: ModuleType, run: Path, config: dict[str, Any]) -> tuple[keras.Model, FitResult]:
    """Train the same in this process, without anybody's help."""
    settings = small.small_config(**config)
    model = small.small_model(settings)
    return model, fit(model, settings, small.small_data(), run, resume=False, progress=Silence())


def test_two_workers_learn_what_one_process_learns(done: Results, small: ModuleType, tmp_path: Path) -> None:
    """Curve and weights agree to the rounding of sums, though no batch divides evenly."""
    model, result = alone(small, tmp_path, WITHOUT_CHANCE)
    for mine, theirs in zip(small.curve(result.history), done["alike"]["curve"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)
    with np.load(done["folder"] / "alike-0.npz") as saved:
        weights = [saved[name] for name in saved.files]
    for mine, theirs in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-3, atol=1e-4)


def test_the_other_worker_holds_the_same_weights_bit_by_bit(done: Results) -> None:
    """Of this run the last epoch is the best, so worker 0 is left with its last weights too."""
    curve = done["alike"]["curve"]
    assert min(curve, key=lambda row: row["val_loss"]) == curve[-1]
    with (
        np.load(done["folder"] / "alike-0.npz") as first,
        np.load(done["folder"] / "alike-1.npz") as second,
    ):
        assert [first[name].tobytes() for name in first.files] == [
            second[name].tobytes() for name in second.files
        ]


def test_sigterm_to_one_worker_stops_both_after_the_same_step(done: Results) -> None:
    """Exit code 130 on both; each says who was asked and how to go on."""
    (first, _, told), (second, _, own) = done["stopped"]
    assert (first, second) == (130, 130)
    told, own = told.splitlines()[-1], own.splitlines()[-1]
    assert told.startswith("Stopped by a signal to worker 1 (127.0.0.1:")
    assert told.endswith(f"Go on with (on all workers): pictor train --resume {done['folder']}/cut")
    assert own.startswith("Stopped by SIGTERM in epoch ")
    assert own.endswith("Go on with: the same command on all workers")
    assert (
        told.partition(" in epoch ")[2].partition(".")[0] == own.partition(" in epoch ")[2].partition(".")[0]
    )


def test_a_stopped_training_goes_on_to_the_curve_of_one_that_was_not(done: Results) -> None:
    """With dropout and noise, which each worker draws for itself: the weights are the same bit by bit."""
    assert done["straight"] == done["cut"]


def test_a_worker_that_is_killed_ends_the_other_soon_and_by_name(done: Results) -> None:
    """Exit code 6, within the time that missing heartbeats take to be noticed, not never."""
    (first, _, said), (second, _, _) = done["killed"]
    assert (first, second) == (6, -signal.SIGKILL)
    assert "Worker 1 (127.0.0.1:" in said.splitlines()[-1]
    assert "Run the same command on all 2 workers again." in said.splitlines()[-1]
    assert done["took"] < 60


def test_a_worker_with_other_settings_is_refused_by_all(done: Results) -> None:
    """Before the first step, and before anything is written; worker 0 ends too, not knowing who is right."""
    for _, _, said in done["stopped"]:
        assert "other settings than worker 0. Start all workers with the same command" in said
    assert not (done["folder"] / "refused").exists()
