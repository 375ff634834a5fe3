"""Ctrl-C and SIGTERM end a run in an orderly way at any point."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_contract import PictureInput
from pictor_training import run
from pictor_training.config import load_config
from pictor_training.data import Source
from pictor_training.errors import Interrupted
from pictor_training.launch import launch
from pictor_training.plan import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a plan that nobody carries out."""
    source = Source(tmp_path, ("cat", "dog"), (), "binary")
    return Plan(tmp_path, None, load_config(str(tmp_path), None, []), PictureInput(32, 32), source)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("cleanup", [lambda: None, [].pop], ids=["clean", "with an error on the way"])
def test_a_signal_is_an_interruption_with_the_command_to_go_on(
    number: signal.Signals, cleanup: Callable[[], object], plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a library that is cut short turns the interruption into an error of its own."""

    def stopped(*_: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            cleanup()

    monkeypatch.setattr(run, "carry_out", stopped)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"--resume {plan.folder}"):
        launch(plan)
    assert before is signal.getsignal(number)


def test_an_error_without_a_signal_stays_what_it_is(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug must not look like Ctrl-C."""
    monkeypatch.setattr(run, "carry_out", lambda *_: [].pop())
    with pytest.raises(IndexError):
        launch(plan)


def test_a_signal_that_is_ignored_stays_ignored(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell gives its background jobs SIGINT ignored."""
    monkeypatch.setattr(run, "carry_out", lambda *_: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        launch(plan)
    finally:
        signal.signal(signal.SIGINT, before)
