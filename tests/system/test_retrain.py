"""`pictor retrain` as a CronJob runs it, with real trainings of a tiny network."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

BLOCK = {"filters": 8, "batch_norm": True}
JOB = {
    "name": "shapes",
    "sources": [{"folder": "pictures"}],
    "train": {"network": {"blocks": [{**BLOCK} for _ in range(3)]}, "fit": {"epochs": 4, "batch_size": 8}},
    "gate": {"gateway_pictures": 4},
}


def _write(folder: Path, kind: str, numbers: range, label: str | None = None) -> None:
    step = {"bars": (1, 6), "dots": (5, 5)}[kind]
    target = folder / "pictures" / (label or kind)
    target.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        random = np.random.default_rng([number, step[0]])
        levels = random.integers(0, 90, (32, 32, 3), dtype=np.uint8)
        levels[:: step[0], int(random.integers(0, 5)) :: step[1]] += 150
        Image.fromarray(levels).save(target / f"{kind}-{number}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the job's file and eighty pictures; the tests below are its nights, in their order."""
    folder = tmp_path_factory.mktemp("retraining")
    (folder / "retrain.yaml").write_text(yaml.safe_dump(JOB))
    for kind in ("bars", "dots"):
        _write(folder, kind, range(40))
    return folder


def _labels(folder: Path) -> dict[str, int]:
    last = max((folder / "models" / "shapes" / ".history").glob("*.json"))
    return dict(json.loads(last.read_text())["labels"])


def test_nights_of_a_job(folder: Path, pictor: Any) -> None:
    """Stopped in training, gone on with, nothing new, a mislabelled batch, good pictures."""
    night = ("retrain", "--config", str(folder / "retrain.yaml"))
    _stopped_in_training(folder, night)

    first = pictor(*night, cwd=folder)
    assert "PROMOTE    shapes version 1 is stable" in first.stdout
    assert "going on with" in first.stderr
    assert ({"stable": 1}, 1) == (_labels(folder), len(_visible(folder)))
    verdict = json.loads((_visible(folder)[-1] / "verdict.json").read_text())
    assert 4 == verdict["figures"]["gateway"]["pictures"]

    quiet = pictor(*night, cwd=folder)
    assert "Nothing new to learn from" in quiet.stdout
    assert "epoch" not in quiet.stderr

    _write(folder, "bars", range(100, 112), "dots")
    refused = pictor(*night, cwd=folder, check=False)
    assert (4, True) == (refused.returncode, "in quarantine" in refused.stderr)

    _write(folder, "dots", range(200, 215))
    better = pictor(*night, cwd=folder, check=False)
    verdict = json.loads((_visible(folder)[-1] / "verdict.json").read_text())
    assert better.returncode == {"PROMOTE": 0, "HOLD": 3}[verdict["decision"]], better.stderr
    assert (95, 12, 1) == (
        verdict["collected"]["pictures"],
        verdict["collected"]["quarantined"],
        verdict["champion"],
    )
    assert {"stable": 2 if better.returncode == 0 else 1} == _labels(folder)
    report = (_visible(folder)[-1] / "report.html").read_text()
    assert verdict["decision"] in report


def _stopped_in_training(folder: Path, night: tuple[str, ...]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PICTOR_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pictor_client", *night],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert any(line.startswith("epoch 2/") for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    last_words = process.communicate()[1]
    assert (130, True) == (process.returncode, "Run the same command again" in last_words)
    assert not (folder / "models").exists()


def _visible(folder: Path) -> list[Path]:
    return [run for run in sorted((folder / "runs").iterdir()) if run.name.startswith("2")]
