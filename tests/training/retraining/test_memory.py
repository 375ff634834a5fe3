"""What the job remembers: one holder at a time, and nothing that is damaged is taken for nothing."""

from pathlib import Path
from typing import Any

import pytest

from nights import TOOLS, Nights, train_by_colour, write_pictures
from pictor_training.errors import Locked, TrainingError
from pictor_training.retraining.memory import Memory


def _cut(*_: object) -> None:
    raise AssertionError("It must not come so far.")


def test_a_second_job_ends_at_once_and_says_who_is_at_work(nights: Nights) -> None:
    """Exit code 5; the first one is not disturbed."""
    second: list[Locked] = []

    def train(plan: Any, release: Any) -> None:
        with pytest.raises(Locked, match=r"process \d+, host .*, since_utc") as locked:
            nights.run()
        second.append(locked.value)
        train_by_colour(plan, release)

    assert 0 == Nights(nights.folder, {}, TOOLS).with_tools(train=train).run().exit_code
    assert [5] == [error.exit_code for error in second]


def test_a_job_that_cannot_say_who_it_is_holds_the_lock_as_well(nights: Nights) -> None:
    """Another one ends with "locked", not as if something were broken."""
    memory = Memory(nights.runs, "colours")
    with memory.held():
        (nights.runs / ".retrain-colours" / "holder.json").write_bytes(b"{")
        with pytest.raises(Locked, match="which one is not known"), memory.held():
            raise AssertionError


def test_jobs_of_other_models_do_not_wait_for_each_other(nights: Nights) -> None:
    """The lock is the model's."""
    with Memory(nights.runs, "shapes").held():
        assert 0 == nights.run().exit_code


@pytest.mark.parametrize("name", ["state.json", "ledger.json", "known.csv", "forgotten.txt"])
def test_a_damaged_memory_is_an_error_that_says_what_to_do(served: Nights, name: str) -> None:
    """It is not taken for none, which would train and publish from the beginning."""
    file = served.runs / ".retrain-colours" / name
    file.write_bytes(file.read_bytes()[:-9] if file.exists() else b"half a line")
    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises(TrainingError, match=f"{name} cannot be read"):
        served.with_tools(train=_cut).run()


def test_a_full_disk_keeps_what_was_there(served: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the job's memory is lost, and the next night works."""
    write_pictures(served.pictures, "red", 12, 100)

    def full(path: Path, _: str) -> None:
        raise TrainingError(f"{path} could not be written: No space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr("pictor_training.retraining.memory.write_text_durably", full)
        with pytest.raises(TrainingError, match="No space left"):
            served.run()
    assert 0 == served.run().exit_code
    assert {"stable": 2} == served.model.labels()
