"""What the README says is what the code does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pictor_client.cli import commands
from pictor_contract import PictureRefused
from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.fleet_metrics import FleetCollector
from pictor_gateway.backends.tensorflow_serving.metrics_page import FAMILIES
from pictor_gateway.errors import GatewayError
from pictor_gateway.problems import problem_of
from pictor_gateway.settings import ENV_PREFIX, Settings, flag_of
from pictor_gateway.telemetry.metrics import Metrics, ModelCollector
from pictor_training.retraining.config import RetrainConfig

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = [
    line.removeprefix("$ ").partition("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


def _rows(heading: str) -> set[tuple[str, ...]]:
    """Return the cells of the table below `heading`, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return {
        tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        for line in lines
    }


def test_the_settings_table_is_the_settings() -> None:
    """Flag, variable, default and meaning of every setting, and no other."""
    expected = {
        (f"`{flag_of(name)}`", f"`{ENV_PREFIX}{name.upper()}`", f"{field.default}", f"{field.description}")
        for name, field in Settings.model_fields.items()
    }
    assert expected == _rows("Settings of the gateway")


def test_the_retraining_keys_table_is_what_the_schema_says() -> None:
    """Key, default and meaning of every key of the job's file, and no other."""
    assert set(_keys(RetrainConfig, "")) == _rows("Keys of pictor retrain")


def _keys(section: type[BaseModel], above: str) -> Iterator[tuple[str, str, str]]:
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and name != "train":
            yield from _keys(inner, f"{above}{name}.")
        else:
            default = "required" if field.is_required() else str(field.default) or "-"
            yield f"`{above}{name}`", default, str(field.description)


def test_the_metrics_table_is_what_is_exported(tmp_path: Path) -> None:
    """Name, labels and meaning of every metric family, and no other."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    families = {family.name: family for family in registry.collect()}
    instruments = {**vars(metrics), **vars(metrics.learning)}  # the library has no other way
    del instruments["learning"]
    labels = {instrument._name: instrument._labelnames for instrument in instruments.values()}
    collectors = (
        ModelCollector(EmbeddedBackend(tmp_path, 1, 1, 1.0)),
        FleetCollector(Fleet(Settings.load({"tfs": "127.0.0.1", "model": "pets"}, {}))),
    )
    live = {family.name: family for collector in collectors for family in collector.describe()}
    labels |= {name: family._labelnames for name, family in live.items()}
    expected = {
        (
            f"`{name}{'_total' if family.type == 'counter' else ''}`",
            family.type,
            ", ".join(labels[name]) or "-",
            family.documentation,
        )
        for name, family in (families | live).items()
    }
    assert expected == _rows("Metrics")


def test_the_servers_metrics_table_is_what_is_taken_over() -> None:
    """Their name, our name and meaning of each of TensorFlow Serving's metrics, and no other."""
    expected = {
        (f"`{theirs}`", f"`{ours.name}{'_total' if ours.kind == 'counter' else ''}`", ours.kind, ours.help)
        for theirs, ours in FAMILIES.items()
    }
    assert expected == _rows("Metrics of TensorFlow Serving")


def test_the_codes_table_is_what_can_be_answered() -> None:
    """Every code with its status and whether the same request may succeed later, and no other."""
    refusals = [problem_of(refused("")) for refused in PictureRefused.__subclasses__()]
    problems = [problem_of(error("")) for error in _family(GatewayError)] + refusals
    problems += [problem_of(HTTPException(status)) for status in (404, 405)]
    expected = {
        (f"`{one.code}`", str(one.status), "yes" if one.retryable else "no", one.title) for one in problems
    }
    assert expected == _rows("Errors")


def _family(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [root, *(found for one in root.__subclasses__() for found in _family(one))]


def test_nothing_is_left_to_fill_in() -> None:
    """No placeholder stands in the text."""
    assert [] == re.findall(r"@[A-Z_]+@", README)


def test_the_map_names_every_package_and_nothing_else() -> None:
    """Each path of the file map exists; each folder that holds code is in it."""
    named = {cells[0].strip("`") for cells in _rows("Map of the files")}
    assert [] == sorted(path for path in named if not (ROOT / path).exists())
    folders = {
        path.parent.relative_to(ROOT).as_posix() + "/"
        for path in ROOT.glob("*/pictor_*/**/__init__.py")
        if ".venv" not in path.parts
    }
    assert set() == folders - named


@pytest.mark.parametrize("command", [line for line in SHOWN if line.startswith("make ")])
def test_every_make_target_shown_exists(command: str) -> None:
    """The Makefile has the target, and its variables."""
    _, target, *variables = shlex.split(command)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert all(re.search(rf"^{one.partition('=')[0]} =", makefile, re.MULTILINE) for one in variables)


@pytest.mark.parametrize("command", [line for line in SHOWN if line.startswith("pictor ")])
def test_every_pictor_command_shown_is_understood(command: str) -> None:
    """Each sub-command exists and knows each flag it is shown with."""
    found: click.Command = commands
    names: list[str] = []
    arguments = shlex.split(command)[1:]
    while isinstance(found, click.Group):
        names.append(arguments.pop(0))
        below = found.get_command(click.Context(found), names[-1])
        assert below is not None
        found = below
    known = {flag for parameter in found.params for flag in parameter.opts}
    assert set() == {one for one in arguments if one.startswith("--")} - known
    assert 0 == CliRunner().invoke(commands, [*names, "--help"]).exit_code
