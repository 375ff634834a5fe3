"""Nights that did not come to their end: the next one goes on, or begins anew, and nothing is done twice."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from nights import Nights, hold_all, pass_all, write_pictures
from pictor_store.changes import promote
from pictor_store.errors import RolloutFailed
from pictor_training.errors import (
    DataError,
    DivergedError,
    Interrupted,
    StoreFailed,
    TrainingError,
)
from pictor_training.retraining import running
from pictor_training.retraining.gate import installed
from pictor_training.retraining.memory import Memory


class Cut(BaseException):
    """The process ends here, as far as the job can tell."""


def _cut(*_: object) -> None:
    raise Cut


def _stopped(plan: Any, _: object) -> None:
    (plan.folder / "checkpoints").mkdir()
    raise Interrupted("Go on with: pictor train --resume")


def _memory(nights: Nights) -> Memory:
    return Memory(nights.runs, "colours")


def _underway(nights: Nights) -> str:
    underway = _memory(nights).state().underway
    assert underway is not None
    return underway.run


def _ends(nights: Nights, error: type[BaseException], **tools: Callable[..., Any]) -> str:
    """Play a night that ends in `error`; return the run it leaves."""
    write_pictures(nights.pictures, "red", 12, 100)
    with pytest.raises(error):
        nights.with_tools(**tools).run()
    return _underway(nights)


@pytest.mark.parametrize(
    "tools",
    [{"train": _stopped}, {"ask": _cut}, {"promote": _cut}, {"prune": _cut}],
    ids=lambda tools: next(iter(tools)),
)
def test_the_next_night_goes_on_with_the_same_run(served: Nights, tools: dict[str, Any]) -> None:
    """Wherever it ended: one run, one verdict, one version."""
    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises((Cut, Interrupted)):
        served.with_tools(**tools).run()
    assert served.run().exit_code == 0
    runs = [entry.run for entry in _memory(served).ledger()]
    assert ([1, 2], {"stable": 2}, 2) == (served.model.versions(), served.model.labels(), len(set(runs)))
    assert "Nothing new" in served.run().lines[0]


def test_who_is_stopped_reads_how_to_go_on(served: Nights) -> None:
    """By the same command, not by that of a training."""
    with pytest.raises(Interrupted, match="Run the same command again") as stopped:
        served.with_tools(train=_stopped).run("train.seed=3")
    assert 130 == stopped.value.exit_code


def test_the_gate_is_not_asked_twice(served: Nights) -> None:
    """Its word was written down before anything followed from it."""
    run = _ends(served, Cut, promote=_cut)
    assert 0 == served.with_tools(ask=_cut).run().exit_code
    assert run == served.last_run().name


def test_the_gate_is_asked_again_about_another_champion(served: Nights) -> None:
    """Somebody promoted by hand while the job was down: the verdict was about the version before."""
    write_pictures(served.pictures, "blue", 12, 100)
    served.run("publish.label=none")
    _ends(served, Cut, promote=_cut)
    promote(served.model, 2)
    assert 3 == served.with_tools(ask=hold_all).run().exit_code
    assert ({"stable": 2}, 2) == (served.model.labels(), served.verdict()["champion"])


def test_the_gate_is_asked_again_by_other_limits(served: Nights) -> None:
    """Unless the version is published already."""
    _ends(served, Cut, ask=_hold_and_cut)
    assert 0 == served.with_tools(ask=pass_all).run("gate.max_regression=0.9").exit_code


def test_a_word_by_former_limits_that_cannot_be_removed_is_an_error(served: Nights) -> None:
    """It would be taken for one by the new limits; here a folder has its name."""
    run = _ends(served, Cut, ask=_cut)
    (served.runs / run / "verdict.json").mkdir()
    with pytest.raises(TrainingError, match=r"cannot be removed .* run the command again"):
        served.run("gate.max_regression=0.9")


@pytest.mark.parametrize("content", [b"{", b"{}"])
def test_a_damaged_note_of_what_was_published_is_no_second_version(served: Nights, content: bytes) -> None:
    """Nobody could tell which version the run became."""
    run = _ends(served, Cut, promote=_cut)
    (served.runs / run / "published.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"published\.json cannot be read"):
        served.run()
    assert [1, 2] == served.model.versions()


def _hold_and_cut(*arguments: Any) -> Any:
    hold_all(*arguments)
    raise Cut


@pytest.mark.parametrize("change", ["gone", "other", "settings"])
def test_a_run_whose_pictures_or_settings_changed_is_set_aside(served: Nights, change: str) -> None:
    """What it had learnt is of no use; the ledger says so, and a new run begins."""
    run = _ends(served, Interrupted, train=_stopped)
    picture = served.pictures / "red" / "red-100.png"
    if change == "gone":
        picture.unlink()
    elif change == "other":
        picture.write_bytes((served.pictures / "red" / "red-101.png").read_bytes())
    assert 0 == served.run(*(["train.seed=3"] if change == "settings" else [])).exit_code
    abandoned, promoted = _memory(served).ledger()[1:]
    assert ((run, "ABANDONED"), "PROMOTE") == ((abandoned.run, abandoned.decision), promoted.decision)
    assert any(f"run {run} is set aside" in line for line in served.lines)


def test_more_pictures_do_not_stop_a_run_from_going_on(served: Nights) -> None:
    """Its own are still there; what came since is the next night's."""
    run = _ends(served, Interrupted, train=_stopped)
    write_pictures(served.pictures, "blue", 12, 300)
    served.run()
    assert (run, 72) == (served.last_run().name, served.verdict()["collected"]["pictures"])
    served.run()
    assert (84, 3) == (served.verdict()["collected"]["pictures"], served.verdict()["version"])


def test_a_published_version_gets_its_label_though_its_pictures_changed(served: Nights) -> None:
    """There is nothing left to train: the verdict stands."""
    run = _ends(served, Cut, promote=_cut)
    (served.pictures / "red" / "red-100.png").unlink()
    assert 0 == served.with_tools(train=_cut).run().exit_code
    assert (run, {"stable": 2}) == (served.last_run().name, served.model.labels())


def test_a_run_that_fails_again_and_again_is_not_tried_for_ever(served: Nights) -> None:
    """Twice the same run, then a new one; the champion serves on."""

    def diverge(*_: object) -> None:
        raise DivergedError("The loss is not a number.")

    first = _ends(served, DivergedError, train=diverge)
    assert (first, first) == (_ends(served, DivergedError, train=diverge), _underway(served))
    assert first != _ends(served, DivergedError, train=diverge)
    assert {"stable": 1} == served.model.labels()


def test_a_gateway_that_cannot_be_asked_is_no_verdict(served: Nights) -> None:
    """The next night asks the gate about the same run; nothing is remembered as held."""

    def silent(*_: object) -> None:
        raise TrainingError("No gateway.")

    run = _ends(served, TrainingError, ask=silent)
    assert not (served.runs / run / "verdict.json").exists()
    assert (0, run) == (served.run().exit_code, served.last_run().name)


def test_without_the_serving_extra_nothing_is_trained(
    served: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said before the training, not after it."""
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises(TrainingError, match=r"gate\.gateway: false"):
        served.with_tools(train=_cut).run()
    assert 0 == served.run("gate.gateway=false").exit_code


def test_a_run_that_cannot_be_planned_leaves_nothing(nights: Nights) -> None:
    """One class is not enough; no run is left that would be gone on with."""
    for colour in ("green", "blue"):
        (nights.pictures / colour).rename(nights.folder / colour)
    with pytest.raises(DataError, match="one class"):
        nights.run()
    assert (None, []) == (_memory(nights).state().underway, list(nights.runs.glob("2*")))


def test_servers_that_do_not_follow_are_tried_again_without_training(served: Nights) -> None:
    """The version is published once, and gets its label when they do."""

    def fail(*_: object) -> None:
        raise RolloutFailed("No server follows.")

    run = _ends(served, StoreFailed, promote=fail)
    assert ([1, 2], {"stable": 1}) == (served.model.versions(), served.model.labels())
    assert 0 == served.run().exit_code
    assert (run, [1, 2], {"stable": 2}) == (
        served.last_run().name,
        served.model.versions(),
        served.model.labels(),
    )


def test_a_store_that_is_not_mounted_is_no_empty_store(served: Nights) -> None:
    """Nothing is trained for it, and no first version is published beside the real ones."""
    store = served.folder / "models"
    store.rename(served.folder / "unmounted")
    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises(StoreFailed, match=r"version 1 was published there\. Is the store mounted\?"):
        served.with_tools(train=_cut).run()
    (served.folder / "unmounted").rename(store)
    assert 0 == served.run().exit_code


def test_a_store_that_vanishes_before_publication_is_published_to_when_it_is_back(served: Nights) -> None:
    """The run waits with what it has; training is not repeated."""
    store, away = served.folder / "models", served.folder / "away"

    def pass_and_lose(*arguments: Any) -> Any:
        store.rename(away)
        return pass_all(*arguments)

    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises(StoreFailed, match="mounted"):
        served.with_tools(ask=pass_and_lose).run()
    run = _underway(served)
    assert not store.exists()
    away.rename(store)
    assert 0 == served.with_tools(ask=_cut).run().exit_code
    assert (run, {"stable": 2}) == (served.last_run().name, served.model.labels())


def test_a_clock_that_jumps_back_changes_no_order(served: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run folders get older names, the same one twice; the latest is the one that the state names."""

    class Past(datetime):
        @classmethod
        def now(cls, _: object = None) -> "Past":
            return cls(1999, 12, 31, tzinfo=UTC)

    monkeypatch.setattr(running, "datetime", Past)
    for number in (100, 200):
        write_pictures(served.pictures, "red", 12, number)
        served.run()
    assert ("19991231T000000Z-colours-2", 3) == (served.last_run().name, served.verdict()["version"])
    assert "Nothing new" in served.run().lines[0]
