"""What was killed, copied by hand, or is gone for a while: the history catches up, and labels stay."""

import os
from pathlib import Path

import pytest

from artifacts import copy_by_hand
from bucket import BucketFileSystem
from pictor_store.errors import StoreError, StoreLocked
from pictor_store.models.history import Event
from pictor_store.models.store import StoredModel, open_store


def _said(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.action, event.version) for event in events]


def test_a_version_that_appeared_without_its_event_is_found(model: StoredModel, artifact: Path) -> None:
    """Copied by hand, or by a publisher that was killed; once, and labels stay."""
    copy_by_hand(artifact, model.place, 7)

    assert [("found", 7)] == _said(model.recover())
    assert [] == model.recover()
    last = model.last_event()
    assert last is not None
    assert ({"stable": 1}, (1, 2, 3, 7)) == (last.labels, last.versions)
    assert 8 == model.publish(artifact)


def test_a_version_that_is_still_being_copied_is_not_found_yet(
    model: StoredModel, artifact: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its manifest may come first; it is left alone until its files are all there."""
    copy_by_hand(artifact, model.place, 7)
    model.place.remove("pets/7/saved_model.pb")

    assert [] == model.recover()
    assert ["version left out"] == caplog.messages
    model.place.upload(artifact / "saved_model.pb", "pets/7/saved_model.pb")
    assert [("found", 7)] == _said(model.recover())


def test_a_version_that_is_gone_without_its_event_is_noted(model: StoredModel) -> None:
    """Deleted by hand, or by somebody who was killed before he could say so; labels stay."""
    model.place.remove("pets/2")
    model.place.remove("pets/1")

    assert [("pruned", 1), ("pruned", 2)] == _said(model.recover())
    assert {"stable": 1} == model.labels()
    assert [] == model.recover()


def test_a_store_of_before_there_were_histories_is_taken_over(model: StoredModel) -> None:
    """All that is there is found, nothing gets a label."""
    model.place.remove("pets/.history")

    assert [("found", 1), ("found", 2), ("found", 3)] == _said(model.recover())
    assert {} == model.labels()


def test_who_holds_the_lock_may_take_it_again_and_nobody_else_may(model: StoredModel) -> None:
    """Steps that lock can be put together under one lock."""
    other = open_store(model.place.where).model("pets")
    with model.lock():
        with model.lock():
            model.recover()
        with pytest.raises(StoreLocked), other.lock(0):
            pytest.fail("two hold it")
        with pytest.raises(StoreLocked), other.lock(0.01):
            pytest.fail("two hold it")
    with other.lock(0):
        pass


def test_what_goes_wrong_under_the_lock_is_not_the_store_s_fault(model: StoredModel) -> None:
    """An error of somebody else stays what it was, and the lock ends."""
    with pytest.raises(FileNotFoundError), model.lock():
        raise FileNotFoundError("a picture")
    with model.lock(0):
        pass


def test_a_store_that_vanishes_is_an_error_and_comes_back(
    model: StoredModel, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch, artifact: Path
) -> None:
    """What failed has changed nothing."""

    def gone(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as network:
        network.setattr(bucket, "disturb", staticmethod(gone))
        for name in ("scandir", "listdir", "open"):
            network.setattr(os, name, gone)
        for ask in (model.versions, model.labels, model.history, open_store(model.place.where).names):
            with pytest.raises(StoreError, match=r"cannot be read: .*Input/output error"):
                ask()
    assert ([1, 2, 3], {"stable": 1}) == (model.versions(), model.labels())
    assert 4 == model.publish(artifact)
