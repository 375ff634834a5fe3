"""`--in`: one command that begins a run, goes on with it, or finds it complete."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pictor_training.cli import train
from pictor_training.errors import ConfigError, TrainingError
from pictor_training.plan import Request, plan_run_at, plan_share
from pictor_training.run_folder import CONFIG_FILE, REPORT_FILE, TRAINED_FILE, locked


@pytest.fixture
def request_of(tmp_path: Path) -> Request:
    """Ask for a training on twelve pictures of two classes."""
    random = np.random.default_rng(1)
    for number in range(12):
        folder = tmp_path / "pictures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return Request(str(tmp_path / "pictures"), None, [], tmp_path / "runs", None, "pictor train", workers=2)


def files(folder: Path) -> Sequence[str]:
    """List a run's folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_run_is_begun_once_and_then_gone_on_with(request_of: Request, tmp_path: Path) -> None:
    """The second plan is the first one, also if the process died before the folder was a run."""
    folder = tmp_path / "runs/one"
    folder.mkdir(parents=True)
    (folder / ".environment.json.partial").touch()
    begun = plan_run_at(folder, request_of)
    assert (folder / CONFIG_FILE).is_file()
    assert '"workers": 2' in (folder / "environment.json").read_text()
    before = files(folder)
    assert begun == plan_run_at(folder, request_of)
    assert before == files(folder)


def test_a_complete_run_is_left_alone(request_of: Request, tmp_path: Path) -> None:
    """The command says so and ends well: whoever restarts it need not know."""
    folder = tmp_path / "run"
    assert plan_run_at(folder, request_of) is not None
    (folder / REPORT_FILE).touch()
    assert plan_run_at(folder, request_of) is None
    done = CliRunner().invoke(train, ["--data", str(request_of.data), "--in", str(folder), "--no-publish"])
    assert (0, f"{folder} is complete already.\n") == (done.exit_code, done.stdout)


def test_another_worker_does_not_wait_for_a_run_that_is_trained(
    request_of: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it sees the run: worker 0 needs it no more, and would not come."""
    workers = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(workers))
    folder = tmp_path / "run"
    (folder / TRAINED_FILE).parent.mkdir(parents=True)
    (folder / TRAINED_FILE).touch()
    for way in ("--in", "--resume"):
        done = CliRunner().invoke(train, [way, str(folder)])
        assert (0, f"{folder} needs no other workers any more.\n") == (done.exit_code, done.stdout)


def test_a_run_publishes_where_it_was_begun_to(request_of: Request, tmp_path: Path) -> None:
    """Several workers' run goes on by its own notes in the end: another store must not be ignored."""
    folder, store = tmp_path / "run", tmp_path / "models"
    plan_run_at(folder, replace(request_of, store=store))
    assert plan_run_at(folder, replace(request_of, store=store)) is not None
    with pytest.raises(ConfigError, match=r"other settings: models was '.*/models' and is None\. Give"):
        plan_run_at(folder, request_of)


def test_of_two_that_begin_the_same_run_at_once_one_is_refused(request_of: Request, tmp_path: Path) -> None:
    """Neither writes into what the other has begun."""
    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder), pytest.raises(TrainingError, match="Another process is at work on"):
        plan_run_at(folder, request_of)
    assert [".lock"] == files(folder)


def test_other_settings_and_other_folders_are_refused(request_of: Request, tmp_path: Path) -> None:
    """By name, and without a trace."""
    folder = tmp_path / "run"
    plan_run_at(folder, request_of)
    with pytest.raises(ConfigError, match=r"begun with other settings: fit\.epochs was 40 and is 3\. Give"):
        plan_run_at(folder, replace(request_of, overrides=["fit.epochs=3"]))
    with pytest.raises(ConfigError, match="is not the folder of a run: it holds pictures"):
        plan_run_at(tmp_path, request_of)


def test_a_worker_that_does_not_lead_needs_no_folder(request_of: Request, tmp_path: Path) -> None:
    """It settles the same configuration and writes nothing."""
    share = plan_share(request_of)
    assert not (tmp_path / "runs").exists()
    plan = plan_run_at(tmp_path / "run", request_of)
    assert plan is not None
    assert (plan.config, plan.picture_input, plan.source) == (share.config, share.picture_input, share.source)


@pytest.mark.parametrize("flags", [["--runs", "runs"], ["--resume", "run"]])
def test_two_ways_to_name_a_run_are_refused(flags: list[str]) -> None:
    """A mistake in the command line, not a choice."""
    done = CliRunner().invoke(train, ["--in", "run", *flags])
    assert done.exit_code == 2
