"""Settings come from flags, then the environment, then defaults; what cannot be used stops the start."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import pictor_gateway
from pictor_gateway import InvalidSettings, Settings
from pictor_gateway.cli import serve
from pictor_gateway.process.cores import usable_cores
from pictor_gateway.settings import flag_of

PACKAGE = Path(pictor_gateway.__file__).parent


def test_a_flag_wins_over_the_environment_and_that_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--print-config` shows what would be used."""
    monkeypatch.setenv("PICTOR_PORT", "9000")
    monkeypatch.setenv("PICTOR_TOP_K", "3")
    done = CliRunner().invoke(serve, ["--print-config", "--port", "9001"])
    shown = json.loads(done.stdout)
    assert (0, 9001, 3, "127.0.0.1") == (done.exit_code, shown["port"], shown["top_k"], shown["host"])


@pytest.mark.parametrize(
    ("environment", "flags", "said"),
    [
        ({"PICTOR_PROT": "80"}, [], "PICTOR_PROT is no setting. Did you mean PICTOR_PORT?"),
        ({"PICTOR_XYZZY": "80"}, [], "`pictor serve --help` lists the settings"),
        ({"pictor_prot": "80"}, [], "pictor_prot is no setting"),
        ({"PICTOR_PORT": "eighty"}, [], "--port or PICTOR_PORT: Input should be a valid integer"),
        ({"PICTOR_PORT": "tcp://10.0.0.1:80"}, [], "enableServiceLinks: false"),
        ({"PICTOR_GATEWAY_PORT": "tcp://10.0.0.1:80"}, [], "enableServiceLinks: false"),
        ({}, ["--port", "65536"], "received '65536'"),
        ({}, ["--request-timeout-s", "inf"], "--request-timeout-s"),
        ({}, ["--max-pixels", "900000000"], "--max-pixels"),
        ({}, ["--decode-threads", "0"], "--decode-threads"),
        ({}, ["--log-level", "loud"], "'debug', 'info', 'warning' or 'error'"),
        ({}, ["--prot", "80"], "No such option"),
    ],
)
def test_an_unknown_or_malformed_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], flags: list[str], said: str
) -> None:
    """With a line that names it, not with a traceback."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(serve, ["--print-config", *flags])
    assert 2 == done.exit_code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_all_faults_are_told_at_once() -> None:
    """Nobody likes to correct them one start at a time."""
    with pytest.raises(InvalidSettings) as raised:
        Settings.load({"port": "x", "top_k": "y"}, {"PICTOR_NOTHING": "z"})
    assert ["PICTOR_NOTHING", "--port", "--top-k"] == [
        re.split(r" is| or", line)[0] for line in str(raised.value).splitlines()
    ]


def test_settings_cannot_be_changed() -> None:
    """They are read once and passed on."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.load({}, {}).port = 1  # type: ignore[misc]  # that is the point


def test_every_setting_is_a_flag_with_its_sentence() -> None:
    """Flag, environment variable and field have one name, and `--help` explains each."""
    shown = " ".join(CliRunner().invoke(serve, ["--help"], terminal_width=500).stdout.split())
    for name, field in Settings.model_fields.items():
        assert flag_of(name) in shown
        assert f"PICTOR_{name.upper()}" in shown
        assert field.description is not None
        assert " ".join(field.description.split()) in shown


def test_every_setting_has_a_reader() -> None:
    """A knob that nothing reads is a lie."""
    sources = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py") if path.name != "settings.py")
    unread = [name for name in Settings.model_fields if not re.search(rf"settings\.{name}\b", sources)]
    assert [] == unread


def test_nothing_but_the_command_reads_the_environment() -> None:
    """Whoever builds the gateway in code passes settings; no variable changes it behind their back.

    But for OpenTelemetry's own variables, which every program that sends traces heeds, where traces are on.
    """
    readers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text("utf-8"))
    }
    assert {"cli.py", "spans.py"} == readers


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", None)],
)
def test_a_containers_quota_limits_the_cores(tmp_path: Path, text: str, expected: int | None) -> None:
    """A pod with half a core must not start a worker for every core of its node."""
    limit = tmp_path / "cpu.max"
    limit.write_text(text, encoding="ascii")
    everything = usable_cores(tmp_path / "absent")
    assert usable_cores(limit) == (everything if expected is None else min(expected, everything))
