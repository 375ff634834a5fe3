"""A running server measured as the command does it; here the stand-in, with a model of a few lines."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pictor_contract import ImageContract
from pictor_tfs.tuning.cli import tfs_config
from pictor_tfs.tuning.figures import Figures, Timing, read_figures
from pictor_tfs.tuning.measuring import MeasureFailed, Plan, measure
from tfs.batching import BatchingRules
from tfs.stand_in import StandIn

Start = Callable[..., StandIn]

NOW = "2026-11-24T04:00:00Z"


def ask(server: StandIn, **changes: Any) -> Figures:
    """Measure with few calls."""
    plan = Plan(server.address, "colours", concurrency=2, repeats=3)
    return measure(replace(plan, **changes), NOW)


def five_at_most(contract: ImageContract) -> ImageContract:
    """Return the contract of a model that was exported for batches of 1, 2 and 5."""
    return replace(contract, allowed_batch_sizes=(1, 2, 5))


def test_powers_of_two_up_to_the_contracts_largest_batch_are_measured(tfs: Start) -> None:
    """The newest version's, with the input of its contract; the rest is noted beside."""
    server = tfs(versions=(1, 4))
    figures = ask(server)

    assert [1, 2, 4] == [timing.pictures for timing in figures.timings]
    assert (4, (8, 8, 3), 4) == (figures.version, figures.input, figures.largest_batch)
    assert (NOW, "colours", 2, 3) == (
        figures.measured_at,
        figures.model,
        figures.concurrency,
        figures.repeats,
    )
    assert f"TensorFlow Serving at {server.address}" == figures.server


def test_an_uneven_largest_batch_is_noted_as_it_is(tfs: Start) -> None:
    """The sizes below it are measured."""
    server = tfs(versions=())
    server.load_colours(1, change=five_at_most)
    figures = ask(server)

    assert ([1, 2, 4], 5) == ([timing.pictures for timing in figures.timings], figures.largest_batch)


def test_each_caller_asks_as_often_as_was_said(tfs: Start) -> None:
    """Two calls more of each size warm it up and do not count."""
    server = tfs()
    told: list[Timing] = []
    plan = Plan(server.address, "colours", concurrency=3, repeats=4, most=2)
    measure(plan, NOW, told.append)

    asked = [call for call in server.asked() if call.signature != "contract"]
    assert 2 * 3 * (2 + 4) == len(asked)
    assert [1, 2] == [timing.pictures for timing in told]


def test_the_time_of_a_slow_server_is_measured(tfs: Start) -> None:
    """It is the median of what single calls took."""
    server = tfs()
    server.faults.slow(0.02)
    figures = ask(server, most=1)
    assert 0.02 <= figures.timings[0].median_s < 1.0


def test_a_server_that_takes_no_such_batch_says_what_to_do(tfs: Start) -> None:
    """Its own largest batch is smaller than the model's."""
    server = tfs(batching=BatchingRules(max_batch_size=2))
    with pytest.raises(MeasureFailed, match=r"larger than maximum input batch size 2.* --max-batch"):
        ask(server)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://host:8501", "The server's address"),
        ("10.0.0.1:8500,10.0.0.2:8500", "One server is measured at a time"),
        ("unix:/nowhere/tfs.sock", "UNAVAILABLE"),
    ],
)
def test_a_target_that_is_no_server_is_refused(target: str, words: str) -> None:
    """Before anything is measured."""
    with pytest.raises(MeasureFailed, match=words):
        measure(Plan(target, "colours", 1, 3), NOW)


def test_a_model_that_is_not_there_is_refused(tfs: Start) -> None:
    """With the server's own words."""
    with pytest.raises(MeasureFailed, match="NOT_FOUND"):
        ask(tfs(), model="other")


def test_a_broken_model_is_not_measured(tfs: Start) -> None:
    """A version that answers no picture has no figures."""
    server = tfs(versions=())
    server.load_half(1)
    with pytest.raises(MeasureFailed, match="FAILED_PRECONDITION"):
        ask(server)


def test_the_command_measures_and_writes_in_one_go(tfs: Start, tmp_path: Path) -> None:
    """What it says meanwhile goes to standard error."""
    server, file, out = tfs(), tmp_path / "figures.json", tmp_path / "out"
    words = ["--figures", str(file), "--measure", server.address, "--model", "colours", "--repeats", "3"]
    done = CliRunner().invoke(
        tfs_config, [*words, "--about", "the stand-in", "--out", str(out), "--max-batch", "4"]
    )

    assert 0 == done.exit_code, done.output
    assert "the stand-in" == read_figures(file).server
    assert 3 == len([line for line in done.stderr.splitlines() if "pictures/s" in line])
    assert {"batching.config", "monitoring.config", "flags.txt"} == {path.name for path in out.iterdir()}
    assert f"pictor tfs-config --figures {file} --out {out}\n" in (out / "flags.txt").read_text()


def test_the_command_says_in_a_line_why_it_failed(tmp_path: Path) -> None:
    """And leaves figures that were there."""
    file = tmp_path / "figures.json"
    file.write_text("before")
    done = CliRunner().invoke(tfs_config, ["--figures", str(file), "--measure", "unix:/nowhere/tfs.sock"])

    assert 1 == done.exit_code
    assert "UNAVAILABLE" in done.stderr
    assert "before" == file.read_text()
