"""Killed at any step, or the disk is full: what is there is whole, and the next one goes on."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_store.errors import SamplesError
from pictor_store.places import FolderPlace
from pictor_store.samples import Judgement, Sample, Samples, digest_of

MakeSample = Callable[..., Sample]
MakeJudgement = Callable[..., Judgement]
Age = Callable[[float], None]


class Killed(BaseException):
    """The process ends here; nothing catches it."""


class DyingPlace(FolderPlace):
    """Changes so many files, then the process dies."""

    def __init__(self, folder: Path, changes: int) -> None:
        super().__init__(folder)
        self._left = changes

    def _change(self) -> None:
        if not self._left:
            raise Killed
        self._left -= 1

    def write(self, path: str, content: bytes) -> None:
        """Write, or die."""
        self._change()
        super().write(path, content)

    def remove(self, path: str) -> None:
        """Remove, or die."""
        self._change()
        super().remove(path)


def _whole(samples: Samples) -> bool:
    return all(samples.content(one) is not None for one in samples.records("pets"))


def test_a_killed_writer_leaves_no_record_without_its_picture(
    folder: Path, samples: Samples, sample: MakeSample, age: Age
) -> None:
    """And the picture without a record is swept with its day."""
    for changes in (0, 1):
        one = sample(changes, b"picture", age_days=40)
        with pytest.raises(Killed):
            Samples(DyingPlace(folder, changes)).write(one, b"picture")
        assert [] == list(samples.records("pets"))
    age(40)
    assert 1 == samples.sweep(max_age_days=30).pictures
    assert [] == list(folder.glob("pets/*"))


def test_a_killed_sweep_is_finished_by_the_next(
    folder: Path, samples: Samples, sample: MakeSample, judgement: MakeJudgement, age: Age
) -> None:
    """Nothing is left half deleted for long, and the trace of what may have been collected is never lost."""
    key = samples.subject_key(b"alice")
    for changes in range(4):
        one = sample(changes, b"%d" % changes, age_days=40, subject=key)
        samples.write(one, b"%d" % changes)
        samples.judge(judgement(one))
        age(40)
        with pytest.raises(Killed):
            Samples(DyingPlace(folder, changes)).sweep(max_age_days=30)
        samples.sweep(max_age_days=30)
        assert [] == list(folder.glob("pets/*/*"))
    gone = samples.forget(subject="alice")
    assert {digest_of(b"%d" % number) for number in range(4)} == set(gone.digests)


def test_a_full_disk_leaves_what_was_there(folder: Path, samples: Samples, sample: MakeSample) -> None:
    """The picture that had no room for its record is taken back."""

    class FullDisk(FolderPlace):
        """Has room for pictures alone."""

        def write(self, path: str, content: bytes) -> None:
            """Write."""
            if path.endswith(".json"):
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(path, content)

    samples.write(sample(1, b"one"), b"one")
    with pytest.raises(SamplesError, match="No space left"):
        Samples(FullDisk(folder)).write(sample(2, b"two"), b"two")
    assert (1, True) == (len(list(folder.rglob("*.jpg"))), _whole(samples))
