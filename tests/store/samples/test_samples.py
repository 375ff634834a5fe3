"""Captured pictures and labels: what is written is read again, what is damaged or forgotten is not."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_store.errors import SamplesError
from pictor_store.samples import Judgement, Sample, Samples, id_of, open_samples

MakeSample = Callable[..., Sample]
MakeJudgement = Callable[..., Judgement]


def test_a_picture_lies_where_anybody_finds_it(samples: Samples, folder: Path, sample: MakeSample) -> None:
    """The layout is readable without us: a day's folder, a picture as it was sent, a JSON beside it."""
    one = sample(1, b"jpeg bytes")
    assert samples.write(one, b"jpeg bytes")
    day = folder / "pets" / one.day
    assert b"jpeg bytes" == (day / f"{one.id}.jpg").read_bytes()
    record = json.loads((day / f"{one.id}.json").read_text(encoding="utf-8"))
    assert ("pets", 3, ["cat"], "sampled") == (
        record["model"],
        record["version"],
        record["predicted"],
        record["reason"],
    )
    assert [one] == list(samples.records("pets"))


def test_labelled_pictures_are_those_with_both(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """A picture without a label and a label without a picture are no example to learn from."""
    both, picture_alone, label_alone = (sample(number, b"%d" % number) for number in (1, 2, 3))
    samples.write(both, b"1")
    samples.write(picture_alone, b"2")
    samples.judge(judgement(both, ("dog",)))
    samples.judge(judgement(label_alone))
    (found,) = samples.labelled("pets")
    assert (both.id, "dog", "jpg", b"1", 3, ("cat",)) == (
        found.sample.id,
        found.label,
        found.sample.suffix,
        samples.content(found.sample),
        found.sample.version,
        found.sample.predicted,
    )
    assert [] == list(samples.labelled("other"))


def test_a_later_label_takes_the_earlier_ones_place(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """There is one file for a prediction, so it cannot have two labels."""
    one = sample()
    samples.write(one, b"picture")
    samples.judge(judgement(one, ("dog",)))
    samples.judge(judgement(one, ("cat",)))
    assert ["cat"] == [found.label for found in samples.labelled("pets")]


def test_the_first_label_of_a_prediction_is_told_from_later_ones(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """So that several processes count a prediction once."""
    one = judgement(sample())
    assert [True, False, False] == [samples.judge(one) for _ in range(3)]


def test_several_labels_are_written_as_in_a_manifest(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """And none of them is an empty text."""
    for number, label in ((1, ("cat", "sofa")), (2, ())):
        one = sample(number, b"%d" % number)
        samples.write(one, b"%d" % number)
        samples.judge(judgement(one, label))
    assert ["cat|sofa", ""] == [found.label for found in samples.labelled("pets")]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda day, one: (day / f"{one.id}.jpg").write_bytes(b"other"),
        lambda day, one: (day / f"{one.id}.jpg").unlink(),
        lambda day, one: (day / f"{one.id}.json").write_bytes(b'{"schema_version": 1, "id": "'),
        lambda day, one: (day / f"{one.id}.json").write_bytes(b'{"schema_version": 2}'),
        lambda day, one: (day / f"{one.id}.json").write_bytes(b"[" * 100_000),
        lambda day, one: (day / f"{one.id}.json").unlink(),
    ],
    ids=["changed", "no picture", "half", "other release", "deep", "no record"],
)
def test_what_is_damaged_is_left_out_and_costs_the_others_nothing(
    samples: Samples,
    folder: Path,
    sample: MakeSample,
    judgement: MakeJudgement,
    spoil: Callable[[Path, Sample], object],
) -> None:
    """Years of samples must not be lost to one bad file."""
    bad, good = sample(1, b"bad"), sample(2, b"good")
    for one, content in ((bad, b"bad"), (good, b"good")):
        samples.write(one, content)
        samples.judge(judgement(one))
    spoil(folder / "pets" / bad.day, bad)
    found = [one.sample for one in samples.labelled("pets")]
    assert [good.id] == [one.id for one in found if samples.content(one) is not None]


@pytest.mark.parametrize(
    "change",
    [
        {"suffix": "../../x"},
        {"suffix": "json"},
        {"id": "../x"},
        {"model": "../pets"},
        {"model": ".salt"},
        {"day": "2026-13-01"},
        {"day": ".."},
        {"sha256": "0" * 63},
        {"reason": "wanted"},
    ],
)
def test_a_record_cannot_name_a_file_outside(sample: MakeSample, change: dict[str, str]) -> None:
    """Whatever stands in a record that somebody planted, paths are made of checked parts."""
    with pytest.raises(SamplesError):
        sample(1, **change)


def test_a_planted_record_of_another_id_is_left_out(
    samples: Samples, folder: Path, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """A label's file must be about the prediction it is named for."""
    one = sample(1)
    samples.write(one, b"picture")
    planted = folder / "pets" / "feedback"
    planted.mkdir(parents=True)
    (planted / f"{2:024x}.json").write_bytes(judgement(one).to_json())
    assert [] == list(samples.labelled("pets"))


def test_members_of_a_later_release_are_passed_over(sample: MakeSample) -> None:
    """So that old and new gateways may share a folder."""
    one = sample()
    data = {**json.loads(one.to_json()), "colour": "red"}
    assert one == Sample.from_json(json.dumps(data).encode())


def test_an_id_is_what_a_prediction_id_begins_with() -> None:
    """Nothing else of what a client sends is looked at, and nothing of it becomes a name unchecked."""
    assert "000102030405060708090a0b" == id_of("AAECAwQFBgcICQoLTheRest")
    assert "000102030405060708090a0b" == id_of("000102030405060708090a0b")
    assert [None] * 4 == [id_of(text) for text in ("", "../../etc/passwd", "AAEC", "röd" * 20)]


def test_subjects_are_salted_hashes(samples: Samples, folder: Path) -> None:
    """The same name gives the same key in every process that shares the place, and another one elsewhere."""
    key = samples.subject_key(b"alice")
    assert key == open_samples(folder).subject_key(b"alice")
    assert key != samples.subject_key(b"bob")
    assert key != open_samples(folder.parent / "elsewhere").subject_key(b"alice")
    assert "alice" not in key


def test_a_damaged_salt_is_told(samples: Samples, folder: Path) -> None:
    """A new salt would make every earlier picture impossible to find by its subject."""
    samples.subject_key(b"alice")
    (folder / ".salt").write_bytes(b"")
    with pytest.raises(SamplesError, match="put back the one"):
        open_samples(folder).subject_key(b"alice")


def test_nobody_outside_owner_and_group_gets_in(samples: Samples, folder: Path, sample: MakeSample) -> None:
    """The folder is closed to others; the umask decides about the group."""
    before = os.umask(0o002)
    try:
        samples.write(sample(), b"picture")
    finally:
        os.umask(before)
    assert 0o770 == stat.S_IMODE(folder.stat().st_mode)


def test_a_folder_that_cannot_be_written_is_one_error(
    folder: Path, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """With the place and the system's reason; what was there stays."""
    folder.write_bytes(b"a file is in the way")
    samples = open_samples(folder)
    with pytest.raises(SamplesError, match=str(folder)):
        samples.write(sample(), b"picture")
    with pytest.raises(SamplesError, match=str(folder)):
        samples.judge(judgement(sample()))


def test_a_folder_that_is_not_there_is_empty(samples: Samples, folder: Path) -> None:
    """Reading makes nothing."""
    assert ([], [], frozenset()) == (samples.models(), list(samples.labelled("pets")), samples.forgotten())
    assert not folder.exists()


def test_what_is_not_ours_is_not_seen(samples: Samples, folder: Path, sample: MakeSample) -> None:
    """Other files may lie there; they are neither records nor counted."""
    one = sample()
    samples.write(one, b"picture")
    for name in (
        "README",
        "pets/notes.json",
        f"pets/{one.day}/holiday.jpg",
        "pets/feedback/x.json",
        "lost+found/a",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not ours")
    assert [one] == list(samples.records("pets"))
    assert [("pets", 1, 0)] == [(row.model, row.pictures, row.labels) for row in samples.overview()]


def test_folders_and_links_in_the_place_of_files_are_left_out(
    samples: Samples, folder: Path, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """Reading, sweeping and forgetting go on beside them."""
    one = sample(1, subject=samples.subject_key(b"alice"))
    samples.write(one, b"picture")
    samples.judge(judgement(one))
    day, feedback = folder / "pets" / one.day, folder / "pets" / "feedback"
    (feedback / f"{2:024x}.json").mkdir()
    (day / f"{3:024x}.json").mkdir()
    (day / f"{4:024x}.jpg").symlink_to(f"{4:024x}.jpg")
    (folder / ".traces").mkdir()
    (folder / ".traces" / f"{5:024x}.json").mkdir()
    assert [one.id] == [found.sample.id for found in samples.labelled("pets")]
    assert 0 == samples.sweep(max_age_days=1, max_bytes=10**9).pictures
    assert 1 == samples.forget(subject="alice").pictures


def test_object_storage_holds_them_as_well(
    sample: MakeSample, judgement: MakeJudgement, request: pytest.FixtureRequest
) -> None:
    """Written, judged, found again by subject, deleted: the same calls, by fsspec."""
    samples = open_samples(f"memory://{request.node.name}")
    one, old = sample(1, b"one", subject=samples.subject_key(b"alice")), sample(2, b"old", age_days=40)
    for each, content in ((one, b"one"), (old, b"old")):
        samples.write(each, content)
        samples.judge(judgement(each))
    assert [(old.id, b"old"), (one.id, b"one")] == sorted(
        ((found.sample.id, samples.content(found.sample)) for found in samples.labelled("pets")), reverse=True
    )
    assert 1 == samples.sweep(max_bytes=600).pictures
    assert [one.id] == [found.sample.id for found in samples.labelled("pets")]
    assert 1 == samples.forget(subject="alice").pictures
    assert ([], []) == (list(samples.records("pets")), list(samples.judged("pets")))
