"""What is too old or too much is deleted: ours alone, oldest first, never for a clock's sake."""

import os
from collections.abc import Callable
from pathlib import Path
from time import time

import pytest

from pictor_store.places import FolderPlace
from pictor_store.samples import Judgement, Sample, Samples, digest_of
from pictor_store.samples.retention import Limits, sweep

MakeSample = Callable[..., Sample]
MakeJudgement = Callable[..., Judgement]
Age = Callable[[float], None]
DAY_S = 86_400.0


def _ids(samples: Samples) -> list[int]:
    return [int(one.id, 16) for one in samples.records("pets")]


def test_what_is_too_old_is_deleted(samples: Samples, folder: Path, sample: MakeSample, age: Age) -> None:
    """With its day's folder, once that is empty."""
    samples.write(sample(1, b"old", age_days=40), b"old")
    age(40)
    samples.write(sample(2, b"new"), b"new")
    swept = samples.sweep(max_age_days=30)
    assert ([2], 1) == (_ids(samples), swept.pictures)
    assert 1 == len(list((folder / "pets").iterdir()))


def test_a_wrong_clock_at_the_capture_deletes_nothing(samples: Samples, sample: MakeSample) -> None:
    """A day far back, in a file that is new by the place's own time: its clock was wrong, not its age."""
    samples.write(sample(1, age_days=9000), b"picture")
    assert 0 == samples.sweep(max_age_days=30).pictures


def test_a_day_that_is_still_to_come_is_kept(samples: Samples, sample: MakeSample, age: Age) -> None:
    """A negative age is no age."""
    samples.write(sample(1, age_days=-400), b"picture")
    age(400)
    assert 0 == samples.sweep(max_age_days=30).pictures


def test_a_clock_far_ahead_cannot_empty_the_place_at_once(
    folder: Path, samples: Samples, sample: MakeSample
) -> None:
    """Somebody sees it before more than a few days' pictures are gone."""
    for number in range(10):
        samples.write(sample(number, b"%d" % number, age_days=number), b"%d" % number)
    limits = Limits(max_age_days=30, max_bytes=None, most_days=2)
    swept = sweep(FolderPlace(folder), limits, time() + 9000 * DAY_S, lambda: True)
    assert 2 == swept.pictures
    assert list(range(7, -1, -1)) == _ids(samples)


def test_too_much_is_cut_to_the_size_oldest_first(samples: Samples, sample: MakeSample) -> None:
    """Counted with the records, over all models."""
    for number in range(6):
        content = b"%d" % number * 10_000
        samples.write(sample(number, content, age_days=6 - number), content)
    swept = samples.sweep(max_bytes=35_000)
    assert [3, 4, 5] == _ids(samples)
    assert swept.bytes_left <= 35_000
    assert 0 == samples.sweep(max_bytes=35_000).pictures


def test_within_a_day_the_files_own_time_decides(samples: Samples, folder: Path, sample: MakeSample) -> None:
    """The ids are random and say nothing of the order."""
    for number in (1, 2, 3):
        samples.write(sample(number, b"%d" % number * 1000), b"%d" % number * 1000)
    (oldest,) = folder.glob(f"pets/*/{2:024x}.jpg")
    record = oldest.with_suffix(".json")
    for path in (oldest, record):
        os.utime(path, (1, 1))
    samples.sweep(max_bytes=4000)
    assert [1, 3] == _ids(samples)


def test_what_is_not_ours_stays(samples: Samples, folder: Path, sample: MakeSample, age: Age) -> None:
    """Neither old age nor a limit of nothing touches other people's files."""
    one = sample(1, age_days=400)
    samples.write(one, b"picture")
    names = (
        "README",
        f"pets/{one.day}/holiday.jpg",
        f"pets/{one.day}/deeper/{one.id}.jpg",
        "pets/2026/x",
        "x/y",
    )
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not ours")
    age(400)
    samples.sweep(max_age_days=1, max_bytes=0)
    assert [] == _ids(samples)
    assert all((folder / name).exists() for name in names)


def test_a_label_goes_with_its_picture_and_leaves_a_trace(
    samples: Samples, folder: Path, sample: MakeSample, judgement: MakeJudgement, age: Age
) -> None:
    """It may have been collected for training: whose picture it was can still be told, and forgotten."""
    key = samples.subject_key(b"alice")
    one = sample(1, b"hers", age_days=40, subject=key)
    samples.write(one, b"hers")
    samples.judge(judgement(one))
    age(40)
    samples.sweep(max_age_days=30)
    assert [] == list(folder.glob("pets/*/*"))
    gone = samples.forget(subject="alice")
    assert ((digest_of(b"hers"),), 0) == (gone.digests, gone.pictures)
    assert [] == list((folder / ".traces").iterdir())


def test_a_label_without_a_picture_ages_too(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement, age: Age
) -> None:
    """Most predictions that are judged were not captured."""
    samples.judge(judgement(sample(1, age_days=40)))
    age(40)
    samples.judge(judgement(sample(2)))
    samples.sweep(max_age_days=30)
    assert [f"{2:024x}"] == [one.id for one in samples.judged("pets")]


def test_half_a_picture_of_a_killed_writer_is_deleted(
    samples: Samples, folder: Path, sample: MakeSample, age: Age
) -> None:
    """It has no name that a reader sees, but it may be most of a picture; one still being written stays."""
    one = sample(1)
    samples.write(one, b"picture")
    leftover = folder / "pets" / one.day / ".0123.partial"
    leftover.write_bytes(b"half a picture")
    samples.sweep(max_bytes=10**9)
    assert leftover.exists()
    age(1)
    samples.sweep(max_bytes=10**9)
    assert not leftover.exists()
    assert [1] == _ids(samples)


def test_a_picture_whose_writer_was_killed_before_its_record_is_deleted(
    samples: Samples, folder: Path, sample: MakeSample, age: Age
) -> None:
    """Nobody can tell whose it is, so nobody could ask for it; one whose record is still to come stays."""
    one = sample(1)
    samples.write(one, b"picture")
    samples.write(sample(2), b"picture")
    (folder / "pets" / one.day / f"{one.id}.json").unlink()
    assert 0 == samples.sweep(max_bytes=10**9).pictures
    age(1)
    assert 1 == samples.sweep(max_bytes=10**9).pictures
    assert [2] == _ids(samples)
    assert not (folder / "pets" / one.day / f"{one.id}.jpg").exists()


def test_a_sweep_stops_when_told(samples: Samples, sample: MakeSample, age: Age) -> None:
    """The gateway does not wait for it at its end."""
    samples.write(sample(1, age_days=40), b"picture")
    age(40)
    assert 0 == samples.sweep(max_age_days=30, max_bytes=0, goes_on=lambda: False).pictures


@pytest.mark.parametrize("days", [None, 30.0])
def test_an_empty_place_is_swept_without_a_word(samples: Samples, days: float | None) -> None:
    """Nothing is made."""
    assert 0 == samples.sweep(max_age_days=days, max_bytes=1).bytes_left
