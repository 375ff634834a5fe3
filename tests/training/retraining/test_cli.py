"""`pictor retrain`: exit codes and last words."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from nights import Nights
from pictor_training.errors import (
    ConfigError,
    DataError,
    Interrupted,
    Locked,
    StoreFailed,
    TrainingError,
)
from pictor_training.retraining import cli, job
from pictor_training.retraining.outcome import Outcome


def _invoke(folder: Path, *arguments: str) -> Result:
    file = folder / "retrain.yaml"
    file.write_text(yaml.safe_dump({"name": "colours", "sources": [{"folder": "pictures"}]}))
    return CliRunner().invoke(cli.retrain, ["--config", str(file), *arguments])


@pytest.mark.parametrize("code", [0, 3])
def test_the_outcome_is_printed_and_its_code_is_the_commands(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else goes to the standard output."""
    monkeypatch.setattr(job, "retrain", lambda *_: Outcome(code, ("one", "two")))
    result = _invoke(tmp_path)
    assert (code, "one\ntwo\n") == (result.exit_code, result.stdout)


@pytest.mark.parametrize(
    ("error", "code"),
    [(TrainingError, 1), (StoreFailed, 1), (ConfigError, 2), (DataError, 4), (Locked, 5), (Interrupted, 130)],
)
def test_each_error_has_its_code(
    error: type[TrainingError], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its message, without a traceback."""

    def fail(*_: object) -> None:
        raise error("So it is.")

    monkeypatch.setattr(job, "retrain", fail)
    result = _invoke(tmp_path)
    assert (code, "", "pictor retrain: So it is.\n") == (result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_says_how_to_go_on(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before training, where nobody else listens."""
    monkeypatch.setattr(job, "retrain", lambda *_: signal.raise_signal(number))
    result = _invoke(tmp_path)
    assert (130, True) == (result.exit_code, "Run the same command again" in result.stderr)


def test_gateways_on_the_command_line_are_asked_about_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take the place of those in the file."""
    seen: list[Any] = []
    monkeypatch.setattr(job, "retrain", lambda config, *_: seen.append(config) or Outcome(0, ()))
    assert 0 == _invoke(tmp_path, "--if-drifted", "http://a:1, http://b:2").exit_code
    assert [["http://a:1", "http://b:2"]] == [config.drift.gateways for config in seen]


def test_a_quiet_night_loads_no_tensorflow(served: Nights) -> None:
    """It is over in a moment."""
    code = (
        "import sys\nfrom pictor_training.retraining.cli import retrain\n"
        f"retrain.main(['--config', {str(served.folder / 'retrain.yaml')!r}], standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'scipy', 'grpc', 'fsspec', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("Nothing new", "[]") == (done.stdout[:11], done.stdout.splitlines()[-1])
