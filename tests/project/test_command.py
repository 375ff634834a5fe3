"""The `pictor` command: sub-commands come from whatever is installed."""

from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from pictor_client import cli


def _with(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(cli, "_found", lambda: {point.name: point for point in points})


def _point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=cli.GROUP)


def test_help_names_every_sub_command() -> None:
    """`pictor --help` lists what there is."""
    printed = CliRunner().invoke(cli.commands, ["--help"]).output
    assert all(name in printed for name in ("demo", "predict", "serve", "train"))


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A library that is not installed gives a hint with the command that installs it, no traceback."""
    _with(monkeypatch, _point("train", "pictor_training_absent_library:train"))
    monkeypatch.setattr(EntryPoint, "load", _raise(ModuleNotFoundError("no", name="tensorflow")))
    outcome = CliRunner().invoke(cli.commands, ["train", "--data", "x"])
    assert outcome.exit_code == 1
    assert outcome.output.count("\n") == 1
    assert "tensorflow is not installed" in outcome.output


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("pictor_training.cli", "training"),
        ("pictor_gateway.cli", "serving"),
        ("pictor_store.cli.models", "serving"),
        ("pictor_tfs.tuning.cli", "serving"),
    ],
)
def test_the_hint_names_the_extra_of_the_package(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    """Training and serving are installed by extras of these names."""
    _with(monkeypatch, _point("some", f"{module}:some"))
    monkeypatch.setattr(EntryPoint, "load", _raise(ModuleNotFoundError("no", name="numpy")))
    assert f"pip install 'pictor[{extra}]'" in CliRunner().invoke(cli.commands, ["some"]).output


def test_help_works_when_an_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of commands is never lost to a library that is not there."""
    _with(monkeypatch, _point("serve", "pictor_gateway.cli:serve"))
    monkeypatch.setattr(EntryPoint, "load", _raise(ModuleNotFoundError("no", name="fastapi")))
    outcome = CliRunner().invoke(cli.commands, ["--help"])
    assert outcome.exit_code == 0
    assert "needs the extra 'serving'" in " ".join(outcome.output.split())


def test_our_own_missing_module_is_not_taken_for_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours must not be disguised as an installation problem."""
    _with(monkeypatch, _point("train", "pictor_training.cli:train"))
    monkeypatch.setattr(EntryPoint, "load", _raise(ModuleNotFoundError("no", name="pictor_training.gone")))
    outcome = CliRunner().invoke(cli.commands, ["train"])
    assert isinstance(outcome.exception, ModuleNotFoundError)


def test_an_unknown_sub_command_is_refused() -> None:
    """Exit code 2, as every command line has it."""
    assert CliRunner().invoke(cli.commands, ["fly"]).exit_code == 2


def _raise(error: Exception) -> object:
    def load(_point: EntryPoint) -> None:
        raise error

    return load
