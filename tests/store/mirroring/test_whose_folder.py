"""Whose a mirror's folder is: one process's at a time, one store's for ever, and never a store itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pictor_store.errors import ChangeRefused, StoreLocked
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore
from pictor_store.places.place import Held


def test_two_mirrors_never_share_a_folder(into: Path, source: ModelStore) -> None:
    """The second says so; nor may a store be a mirror, or a mirror change its store."""
    folder = MirrorFolder(into)
    with folder.mine(source.where, 0), pytest.raises(StoreLocked), MirrorFolder(into).mine(source.where, 0):
        raise AssertionError
    with pytest.raises(ChangeRefused, match="mirrors bucket://models, not"), folder.mine("bucket://other", 0):
        raise AssertionError


def test_a_folder_that_another_store_took_meanwhile_is_refused(
    into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found it empty; the second waited for the lock until the first had ended."""
    second = MirrorFolder(into)
    lock = second.place.lock

    def after_the_first(name: str, wait_s: float) -> AbstractContextManager[Held]:
        with MirrorFolder(into).mine("bucket://first", 0):
            pass
        return lock(name, wait_s)

    monkeypatch.setattr(second.place, "lock", after_the_first)
    with pytest.raises(ChangeRefused, match="mirrors bucket://first, not"), second.mine("bucket://other", 0):
        raise AssertionError


def test_a_store_is_never_taken_for_a_mirror(stored_colours: Callable[..., StoredModel]) -> None:
    """Its versions would be deleted."""
    folder = stored_colours(1).folder(1)
    assert folder is not None
    with (
        pytest.raises(ChangeRefused, match=r"has models \(colours\) and is no mirror"),
        MirrorFolder(folder.parents[1]).mine("bucket://models", 0),
    ):
        raise AssertionError
    assert [".history", ".last_version", ".lock", "1"] == sorted(one.name for one in folder.parent.iterdir())
