"""A mirror that goes on: what it looks at, how often, and what it says."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket import BucketFileSystem
from mirrored import KEEP_S, Clock, whole_versions
from pictor_store.changes import promote, rollback
from pictor_store.mirroring.following import Following, once
from pictor_store.mirroring.mirror import Mirror, Passed
from pictor_store.models.history import read_labels
from pictor_store.models.model import StoredModel

POLL_S = 15.0

Make = Callable[..., Mirror]
Bucket = type[BucketFileSystem]


class Followed:
    """A mirror that is followed, with time passing as it asks for it."""

    def __init__(self, mirror: Mirror, clock: Clock) -> None:
        self.said: list[Passed] = []
        self._clock = clock
        self._following = Following(mirror, POLL_S, self.said.append, clock)

    def step(self) -> float:
        """Look once, and let the time pass that it would wait; return that."""
        wait_s = self._following.step()
        self._clock.now += wait_s
        return wait_s

    def troubles(self) -> list[str]:
        """Return what was said since the last time."""
        said = [trouble for passed in self.said for trouble in passed.troubles]
        self.said.clear()
        return said


@pytest.fixture
def followed(make_mirror: Make, clock: Clock) -> Followed:
    """Follow the store."""
    return Followed(make_mirror(), clock)


def test_labels_are_followed_and_old_versions_go(model: StoredModel, followed: Followed, into: Path) -> None:
    """One report for each change."""
    followed.step()
    followed.step()
    promote(model, 3)
    followed.step()
    assert [1, 2, 3] == whole_versions(into)
    for _ in range(int(KEEP_S / POLL_S) + 1):
        followed.step()

    assert [2, 3] == whole_versions(into)
    assert {"stable": 3} == read_labels(into / "pets")
    assert [Passed(changed=True, troubles=())] * 2 == followed.said


def test_while_no_event_is_new_only_names_are_listed(
    model: StoredModel, followed: Followed, bucket: Bucket
) -> None:
    """Every pod asks every few seconds. Once an hour all is looked at: somebody may remove files by hand."""
    followed.step()
    asked: list[str] = []
    bucket.disturb = staticmethod(lambda operation, key: asked.append(f"{operation} {key}"))
    followed.step()
    assert ["ls models", "ls models/pets/.history"] == asked
    for _ in range(int(3600 / POLL_S)):
        followed.step()
    assert "get models/pets/2/assets.extra/MANIFEST.sha256" in asked


def test_a_store_that_is_away_is_asked_ever_more_slowly(
    model: StoredModel, followed: Followed, bucket: Bucket, into: Path
) -> None:
    """Up to two minutes; each time it is said. When it is back, all is as before."""
    followed.step()
    followed.said.clear()

    def refuse(operation: str, key: str) -> None:
        raise ConnectionError(errno.ECONNREFUSED, "Connection refused", key)

    bucket.disturb = staticmethod(refuse)
    assert [30, 60, 120, 120] == [followed.step() for _ in range(4)]
    assert ["Connection refused" in one for one in followed.troubles()] == [True] * 4
    assert [1, 2] == whole_versions(into)
    bucket.disturb = staticmethod(lambda *_: None)
    assert POLL_S == followed.step()
    assert [] == followed.troubles()


def test_what_fails_is_tried_again_ever_more_slowly_and_news_at_once(
    model: StoredModel, followed: Followed, into: Path
) -> None:
    """A damaged version is not downloaded every few seconds; a rollback does not wait for that."""
    promote(model, 3)
    right = model.place.read("pets/3/saved_model.pb")
    model.place.write("pets/3/saved_model.pb", b"damaged")
    tries = []
    for step in range(70):
        followed.step()
        tries += [step] if followed.troubles() else []
    assert [0, 1, 3, 7, 15, 31, 63] == tries

    rollback(model)
    followed.step()
    assert {"stable": 2} == read_labels(into / "pets")
    model.place.write("pets/3/saved_model.pb", right)
    promote(model, 3)
    followed.step()
    assert {"stable": 3} == read_labels(into / "pets")
    assert [] == followed.troubles()


def test_a_surprise_does_not_end_it(
    model: StoredModel, followed: Followed, bucket: Bucket, caplog: pytest.LogCaptureFixture, into: Path
) -> None:
    """A sidecar that crashes takes its pod out of traffic."""

    def surprise(operation: str, key: str) -> None:
        raise RecursionError("a bug of ours")

    followed.step()
    promote(model, 3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pictor_store.mirroring.mirror.look_at", surprise)
        followed.step()
    assert ["the mirror failed, and goes on"] == [record.getMessage() for record in caplog.records]
    followed.step()
    assert {"stable": 3} == read_labels(into / "pets")


def test_a_folder_that_cannot_be_read_is_told(model: StoredModel, followed: Followed, into: Path) -> None:
    """Whatever the disk says."""
    into.write_text("a file")
    followed.step()
    assert "cannot be mirrored" in followed.troubles()[0]


def test_once_waits_for_what_goes(model: StoredModel, make_mirror: Make, clock: Clock, into: Path) -> None:
    """So that a folder that is mirrored again and again does not grow."""
    mirror = make_mirror()
    assert once(mirror, pause=clock.wait).changed
    promote(model, 3)
    began = clock.now
    once(mirror, pause=clock.wait)

    assert [2, 3] == whole_versions(into)
    assert KEEP_S <= clock.now - began
