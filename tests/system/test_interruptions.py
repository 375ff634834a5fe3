"""Trainings that are killed, stopped, started twice, or started wrongly."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRAIN = (sys.executable, "-m", "pictor_client", "train")


def _start(pictures: Path, folder: Path, quick: tuple[str, ...]) -> "subprocess.Popen[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PICTOR_")}
    return subprocess.Popen(
        [*TRAIN, "--data", str(pictures), *quick],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _wait_for(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(word):
            return
    pytest.fail(f"the training ended before it said {word!r}")


def _curve(run: Path) -> list[dict[str, str]]:
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").glob("*-shapes")
    return run


@pytest.mark.parametrize(
    ("stop", "stage"),
    [(signal.SIGKILL, "epoch 2/"), (signal.SIGINT, "epoch 2/"), (signal.SIGTERM, "export")],
)
def test_a_stopped_training_resumes_to_the_same_curve(
    stop: signal.Signals, stage: str, trained: Any, tmp_path: Path, pictor: Any, quick: tuple[str, ...]
) -> None:
    """History and figures of a run that was killed or interrupted are those of one that never stopped."""
    process = _start(trained.pictures, tmp_path, quick)
    _wait_for(process, stage)
    process.send_signal(stop)
    last_words = process.communicate()[1]
    assert process.returncode == (-stop if stop == signal.SIGKILL else 130)
    assert not (tmp_path / "models").exists()
    run = _only_run(tmp_path)
    assert stop == signal.SIGKILL or f"--resume {run.relative_to(tmp_path)}" in last_words
    pictor("train", "--resume", str(run), cwd=tmp_path)
    assert _curve(trained.run) == _curve(run)
    assert json.loads((trained.run / "metrics.json").read_text()) == json.loads(
        (run / "metrics.json").read_text()
    )
    assert ["1"] == [path.name for path in (tmp_path / "models" / "shapes").iterdir() if path.name.isdigit()]


def test_a_finished_run_is_not_published_twice(trained: Any, pictor: Any) -> None:
    """Resuming a run that has ended is refused, with the place of its report."""
    before = sorted(path.name for path in (trained.models / "shapes").iterdir())
    done = pictor("train", "--resume", str(trained.run), cwd=trained.folder, check=False)
    assert (2, True) == (done.returncode, "report.html" in done.stderr)
    assert before == sorted(path.name for path in (trained.models / "shapes").iterdir())


def test_two_trainings_at_once_do_not_harm_each_other(
    trained: Any, tmp_path: Path, quick: tuple[str, ...]
) -> None:
    """Both publish, under different numbers, each with its own run."""
    both = [_start(trained.pictures, tmp_path, quick) for _ in range(2)]
    endings = [process.communicate()[1] for process in both]
    assert [0, 0] == [process.returncode for process in both], endings
    assert {"1", "2"} == {
        path.name for path in (tmp_path / "models" / "shapes").iterdir() if path.name.isdigit()
    }
    assert 2 == len(list((tmp_path / "runs").glob("*-shapes*")))


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("--data", "nowhere"), 4, "nowhere"),
        (("--data", ".", "fit.epoch=3"), 2, "fit.epochs"),
        (("--data", ".", "optimiser.clip_norm=1", "optimiser.clip_value=1"), 2, "clip"),
        (("--data", ".", "optimiser.plateau_patience=3"), 2, "plateau"),
        (("--resume", "nowhere"), 2, "nowhere"),
        (("--resume", "nowhere", "--data", "."), 2, "--resume"),
        (("--resume", "nowhere", "--models", "elsewhere"), 2, "--resume"),
        ((), 2, "data.path"),
        (("--data", ""), 2, "data.path"),
        (("--data", ".", "--models", "/dev/null"), 1, "/dev/null"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_work(
    arguments: tuple[str, ...], exit_code: int, told: str, tmp_path: Path, pictor: Any
) -> None:
    """The exit code tells the kind, one readable message the reason, and no folder is made."""
    done = pictor("train", *arguments, cwd=tmp_path, check=False)
    assert exit_code == done.returncode, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.iterdir())
