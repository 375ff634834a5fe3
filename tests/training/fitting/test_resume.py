"""Programs that are killed while they train, and what becomes of their runs.

Two programs are ended at the same time; a third one resumes both runs and does both again without a break.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("small_run.py")

KILLED = {
    "optimiser": {
        "name": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.0,
        "plateau_patience": 1,
    },
    "fit": {
        "epochs": 8,
        "early_stopping_patience": 3,
        "checkpoint_every_s": 1e-9,
        "class_weight": "balanced",
    },
}
"""Checkpoints after every step: SIGKILL falls into one of them, or between two."""

STOPPED = {
    "optimiser": {"schedule": "cosine", "warmup_epochs": 0.5},
    "fit": {"epochs": 5, "early_stopping_patience": 4, "monitor": "val_accuracy"},
}
"""Checkpoints after every epoch, and when SIGTERM asks for one."""


class Program:
    """small_run.py, started with some runs."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def end(self, number: signal.Signals, after: int) -> tuple[int, str]:
        """Read `after` of its lines, then send the signal; return the exit code and what it said last."""
        assert self._process.stdout is not None
        for _ in range(after):
            assert self._process.stdout.readline()
        self._process.send_signal(number)
        _, errors = self._process.communicate()
        return self._process.returncode, errors.decode().splitlines()[-1] if errors else ""

    def results(self) -> list[dict[str, Any]]:
        """Wait for its end and return the results it told."""
        out, errors = self._process.communicate()
        assert self._process.returncode == 0, errors.decode()
        lines = (line.strip() for line in out.decode().splitlines())
        return [json.loads(line.removeprefix("result ")) for line in lines if line.startswith("result ")]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Exit codes, last words and results of the two runs, cut and straight."""
    folder = tmp_path_factory.mktemp("runs")
    cut = [
        {"run": str(folder / "killed"), "config": KILLED, "resume": False},
        {"run": str(folder / "stopped"), "config": STOPPED, "resume": False},
    ]
    to_kill, to_stop = (Program(run) for run in cut)
    killed = to_kill.end(signal.SIGKILL, after=15)
    stopped = to_stop.end(signal.SIGTERM, after=9)
    curve_then = (folder / "stopped/history.csv").read_text()
    again = [{**run, "resume": True} for run in cut]
    straight = [{**run, "run": f"{run['run']}-straight"} for run in cut]
    results = Program(*again, *straight).results()
    names = ("killed resumed", "stopped resumed", "killed straight", "stopped straight")
    facts = {"killed": killed, "stopped": stopped, "folder": folder, "curve then": curve_then}
    return {**facts, **dict(zip(names, results, strict=True))}


def test_a_killed_run_resumes_to_the_curve_and_weights_of_one_that_was_not(ends: dict[str, Any]) -> None:
    """SIGKILL; momentum, plateau, early stopping, class weights, augmentation, dropout, batch norm."""
    assert ends["killed"][0] == -signal.SIGKILL
    assert ends["killed straight"] == ends["killed resumed"]


def test_a_stopped_run_resumes_to_the_curve_and_weights_of_one_that_was_not(ends: dict[str, Any]) -> None:
    """SIGTERM within an epoch; AdamW with a cosine, warm-up and early stopping."""
    assert ends["stopped straight"] == ends["stopped resumed"]


def test_sigterm_ends_a_run_with_its_own_exit_code_and_the_way_to_go_on(ends: dict[str, Any]) -> None:
    """The way on is the last line."""
    code, said = ends["stopped"]
    assert code == 130
    assert said.startswith("Stopped by SIGTERM in epoch ")
    assert said.endswith(f"Go on with: pictor train --resume {ends['folder']}/stopped")


@pytest.mark.parametrize("name", ["killed", "stopped"])
def test_the_table_of_a_resumed_run_has_every_epoch_once(ends: dict[str, Any], name: str) -> None:
    """Rows from before and after are those of the returned curve."""
    lines = (ends["folder"] / name / "history.csv").read_text().splitlines()[1:]
    epochs = [int(line.partition(",")[0]) for line in lines]
    assert list(range(1, len(ends[f"{name} resumed"]["curve"]) + 1)) == epochs


def test_the_epochs_before_the_stop_are_not_trained_again(ends: dict[str, Any]) -> None:
    """Their rows, seconds included, stay as they were."""
    then = ends["curve then"]
    assert len(then.splitlines()) > 1
    assert (ends["folder"] / "stopped/history.csv").read_text().startswith(then)
