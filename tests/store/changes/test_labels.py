"""Labels in the history alone: no server is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_store.changes import promote, prune, rollback, unlabel
from pictor_store.errors import ChangeRefused, StoreLocked, VersionDamaged, VersionMissing
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store

Stored = Callable[..., StoredModel]


def test_a_promotion_is_one_event_with_all_labels(stored_colours: Stored) -> None:
    """With who and why."""
    model = stored_colours(2)
    promote(model, 1)
    event = promote(model, 2, label="canary", reason="to be tried", by="ann")

    assert ("labelled", 2, {"stable": 1, "canary": 2}) == (event.action, event.version, event.labels)
    assert ("to be tried", "ann") == (event.reason, event.by)
    assert event == model.history()[-1]


def test_what_is_so_already_is_no_event(stored_colours: Stored) -> None:
    """The last event is returned."""
    model = stored_colours(1)
    first = promote(model, 1)

    assert first == promote(model, 1)
    assert first == model.last_event()


def test_a_damaged_version_is_never_promoted(stored_colours: Stored) -> None:
    """Its files are verified first; nothing is recorded."""
    model = stored_colours(2)
    promote(model, 1)
    folder = model.folder(2)
    assert folder is not None
    (folder / "saved_model.pb").write_text("changed")
    before = model.last_event()
    with pytest.raises(VersionDamaged, match="saved_model"):
        promote(model, 2)

    assert before == model.last_event()


@pytest.mark.parametrize("label", ["", "a b", "a-b", "röd", "x" * 65])
def test_a_label_is_what_the_server_takes_for_one(label: str, stored_colours: Stored) -> None:
    """Letters, digits and _."""
    model = stored_colours(1)
    with pytest.raises(ChangeRefused, match="label must be"):
        promote(model, 1, label=label)


def test_another_label_needs_stable_first(stored_colours: Stored) -> None:
    """Without it the newest version answers, whatever is labelled."""
    model = stored_colours(2)
    with pytest.raises(ChangeRefused, match="Promote a version to stable first"):
        promote(model, 1, label="canary")


def test_a_version_that_is_not_there_is_told_with_those_that_are(stored_colours: Stored) -> None:
    """So the next try is right."""
    with pytest.raises(VersionMissing, match="There are: 1, 2"):
        promote(stored_colours(2), 7)


def test_a_second_rollback_goes_one_further_back(stored_colours: Stored) -> None:
    """Not forth again, and at the end it says that there is nothing."""
    model = stored_colours(3)
    for version in (1, 2, 3):
        promote(model, version)

    assert [2, 1] == [rollback(model).labels["stable"], rollback(model).labels["stable"]]
    with pytest.raises(ChangeRefused, match="nothing to go back to"):
        rollback(model)


def test_after_a_rollback_a_promotion_starts_a_new_line(stored_colours: Stored) -> None:
    """What was gone back from is not gone back to."""
    model = stored_colours(3)
    for version in (1, 2):
        promote(model, version)
    rollback(model)
    promote(model, 3)

    assert 1 == rollback(model).labels["stable"]


def test_a_rollback_passes_over_what_was_pruned(stored_colours: Stored) -> None:
    """The one before it is whole."""
    model = stored_colours(3)
    for version in (1, 2, 3):
        promote(model, version)
    model.remove(2)

    assert 1 == rollback(model).labels["stable"]


def test_a_rollback_without_anything_before_says_what_is_gone(stored_colours: Stored) -> None:
    """And a rollback of a model that was never promoted says so."""
    model = stored_colours(2)
    with pytest.raises(ChangeRefused, match="no version was ever promoted"):
        rollback(model)
    promote(model, 1)
    with pytest.raises(ChangeRefused, match="it never named another"):
        rollback(model)
    promote(model, 2)
    model.remove(1)
    with pytest.raises(ChangeRefused, match="version 1 was removed"):
        rollback(model)


def test_an_idle_canary_goes_with_stable(stored_colours: Stored) -> None:
    """It would try again what was just left; one that names another version stays."""
    model = stored_colours(3)
    promote(model, 1)
    promote(model, 2, label="canary")
    assert {"stable": 2, "canary": 2} == promote(model, 2).labels
    assert {"stable": 1, "canary": 1} == rollback(model).labels
    promote(model, 3, label="canary")

    assert {"stable": 2, "canary": 3} == promote(model, 2).labels


def test_labels_are_taken_away_but_never_stable(stored_colours: Stored) -> None:
    """Without stable the newest version would answer at once."""
    model = stored_colours(2)
    promote(model, 1)
    promote(model, 2, label="canary")

    assert {"stable": 1} == unlabel(model, "canary").labels
    with pytest.raises(VersionMissing, match="There are: stable"):
        unlabel(model, "canary")
    with pytest.raises(ChangeRefused, match="Promote another"):
        unlabel(model, "stable")


def test_pruning_spares_labels_the_way_back_and_the_newest(stored_colours: Stored) -> None:
    """Each that goes is an event; a second time there is nothing to do."""
    model = stored_colours(7)
    for version in (1, 2, 4):
        promote(model, version)
    promote(model, 5, label="canary")

    assert [1, 3, 6] == prune(model, 1)
    assert [2, 4, 5, 7] == model.versions()
    assert ["pruned"] * 3 == [event.action for event in model.history()[-3:]]
    assert [] == prune(model, 1)
    assert 2 == rollback(model).labels["stable"]


def test_one_version_is_always_kept(stored_colours: Stored) -> None:
    """The newest serves where there is no label."""
    model = stored_colours(3)
    with pytest.raises(ChangeRefused, match="At least one"):
        prune(model, 0)

    assert [1, 2] == prune(model, 1)


def test_a_model_that_somebody_changes_is_left_alone(stored_colours: Stored, tmp_path: Path) -> None:
    """The other one's change is not in between; nothing is recorded."""
    model = stored_colours(2)
    other = open_store(tmp_path / "store").model("colours")
    with other.lock(), pytest.raises(StoreLocked), model.lock(0.05):
        promote(model, 1)

    assert {} == model.labels()
