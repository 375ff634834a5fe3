"""`pictor train` by two processes: the same command on both, one run, one version."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.timeout(600)  # three starts of TensorFlow, on a machine that may be busy

COMMAND = ("-c", "from pictor_client.cli import main; main()", "train")

SETTINGS: dict[str, Any] = {
    "network": {"blocks": [{"filters": 4, "pool": 4}], "reduce": "average", "dense": []},
    "fit": {"epochs": 2, "batch_size": 8},
    "optimiser": {"warmup_epochs": 0},
    "export": {"batch_sizes": [1]},
}


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Make pictures of dots and a tiny configuration; return the arguments of a training on them."""
    folder = tmp_path_factory.mktemp("given")
    random = np.random.default_rng(5)
    for number in range(40):
        pictures = folder / "pictures" / "ab"[number % 2]
        pictures.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number}.png")
    (folder / "train.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    made = tmp_path_factory.mktemp("made")
    return [
        f"--data={folder / 'pictures'}",
        f"--config={folder / 'train.yaml'}",
        f"--in={made / 'run'}",
        f"--models={made / 'models'}",
    ]


@pytest.fixture(scope="module")
def trained(together: Callable[..., Any], flags: list[str]) -> Any:
    """Let two workers train, and what each said."""
    pair = together(*COMMAND, *flags)
    return pair, pair.ends()


def made(flags: list[str]) -> Path:
    """Return where run and store are."""
    return Path(flags[2].partition("=")[2]).parent


def test_worker_0_tells_trains_and_publishes(trained: Any, flags: list[str]) -> None:
    """Its output is that of any training; the run notes how many trained."""
    (code, out, errors), _ = trained[1]
    assert code == 0, errors
    assert [line.split()[0] for line in out.splitlines()] == ["test", "published", "report"]
    assert errors.splitlines()[0].startswith("worker 0 of 2: waiting for 127.0.0.1:")
    assert sum(line.startswith("epoch ") for line in errors.splitlines()) == 2
    run = made(flags) / "run"
    assert json.loads((run / "environment.json").read_text())["workers"] == 2
    assert {"report.html", "metrics.json", "model.keras", "published.json"} <= {p.name for p in run.iterdir()}


def test_the_other_worker_says_who_it_is_and_writes_nothing(trained: Any) -> None:
    """Neither where it runs nor for good where temporary files go, which is the same folder here."""
    pair, (_, (code, out, errors)) = trained
    assert (code, out) == (0, "worker 1 of 2 is done\n"), errors
    assert errors.startswith("worker 1 of 2: worker 0 (127.0.0.1:")
    assert len(errors.splitlines()) == 1
    assert list(pair.folders[1].iterdir()) == []


def test_the_served_graph_knows_nothing_of_workers(trained: Any, flags: list[str]) -> None:
    """TensorFlow writes the names of its jobs into graphs that a worker saves; a server has none of them."""
    graph = (made(flags) / "models/classifier/1/saved_model.pb").read_bytes()
    assert trained[1][0][0] == 0
    assert b"job:worker" not in graph


def test_the_same_command_finds_the_run_complete(
    trained: Any, together: Callable[..., Any], flags: list[str]
) -> None:
    """Worker 0, started again when all is done, waits for nobody."""
    assert trained[1][0][0] == 0
    again = together(*COMMAND, *flags)
    again.processes[1].kill()
    (code, out, _), _ = again.ends()
    assert (code, out) == (0, f"{made(flags) / 'run'} is complete already.\n")
    assert [path.name for path in (made(flags) / "models/classifier").glob("[0-9]*")] == ["1"]
