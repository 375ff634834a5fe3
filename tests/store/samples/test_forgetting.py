"""A person's pictures are deleted on request, with every copy, and nothing collects them again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_store.errors import SamplesError
from pictor_store.places import FolderPlace
from pictor_store.samples import Judgement, Sample, Samples, digest_of
from pictor_store.samples.samples import Samples as SamplesClass

MakeSample = Callable[..., Sample]
MakeJudgement = Callable[..., Judgement]


def _left(folder: Path) -> set[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".forgotten"]
    return {path.name for path in files}


def test_a_subjects_pictures_go_with_labels_and_copies(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """Also the copy that came without a name; another person's picture stays."""
    key = samples.subject_key(b"alice")
    hers, copy, other = sample(1, b"hers", subject=key), sample(2, b"hers", model="toys"), sample(3, b"other")
    for one, content in ((hers, b"hers"), (copy, b"hers"), (other, b"other")):
        samples.write(one, content)
        samples.judge(judgement(one))
    gone = samples.forget(subject="alice")
    assert ((digest_of(b"hers"),), 2, 2) == (gone.digests, gone.pictures, gone.labels)
    assert [other.id] == [found.sample.id for found in samples.labelled("pets")]
    assert [] == list(samples.records("toys"))


def test_a_prediction_is_forgotten_by_its_id(
    samples: Samples, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """The id that the answer had is enough; a label without a picture goes as well."""
    one = sample(0x000102030405060708090A0B, b"one")
    samples.write(one, b"one")
    assert 1 == samples.forget(prediction_id="AAECAwQFBgcICQoLAndTheRest").pictures
    samples.judge(judgement(sample(2)))
    assert 1 == samples.forget(prediction_id=f"{2:024x}").labels


def test_what_is_forgotten_is_never_kept_again(samples: Samples, sample: MakeSample) -> None:
    """By content, under whatever id it comes; also if it was never there."""
    samples.forget(digest=digest_of(b"hers"))
    assert not samples.write(sample(5, b"hers"), b"hers")
    assert {digest_of(b"hers")} == samples.forgotten()
    assert [] == list(samples.records("pets"))


def test_a_picture_that_is_being_written_meanwhile_is_caught(
    samples: Samples, folder: Path, sample: MakeSample
) -> None:
    """The writer looked for a tombstone too early: it looks again, and takes the picture back."""

    class Meanwhile(FolderPlace):
        """Somebody asks for the picture to be forgotten just before its record is written."""

        def write(self, path: str, content: bytes) -> None:
            """Write."""
            if path.endswith(".json"):
                samples.forget(digest=digest_of(b"hers"))
            super().write(path, content)

    assert not SamplesClass(Meanwhile(folder)).write(sample(1, b"hers"), b"hers")
    assert set() == _left(folder)


def test_a_picture_whose_record_is_lost_is_found_by_its_content(
    samples: Samples, folder: Path, sample: MakeSample
) -> None:
    """A writer was killed between picture and record, or the record was damaged."""
    one = sample(1, b"hers")
    samples.write(one, b"hers")
    (folder / "pets" / one.day / f"{one.id}.json").write_bytes(b"{")
    assert 1 == samples.forget(digest=digest_of(b"hers")).pictures
    assert set() == _left(folder)


def test_a_forgetting_that_was_cut_short_is_finished_by_the_next(
    samples: Samples, folder: Path, sample: MakeSample, judgement: MakeJudgement
) -> None:
    """After the power failed at any deletion, the same command ends with the same result."""
    key = samples.subject_key(b"alice")

    class Failing(FolderPlace):
        """Deletes so many files, then no more."""

        left = 0

        def remove(self, path: str) -> None:
            """Delete, or fail."""
            if not Failing.left:
                raise OSError(5, "the power fails")
            Failing.left -= 1
            super().remove(path)

    for cut in range(5):
        for number in (1, 2):
            one = sample(number + 10 * cut, b"cut %d" % cut, subject=key)
            samples.write(one, b"cut %d" % cut)
            samples.judge(judgement(one))
        Failing.left = cut
        with pytest.raises(SamplesError, match="power"):
            SamplesClass(Failing(folder)).forget(subject="alice")
        assert digest_of(b"cut %d" % cut) in samples.forgotten()
        samples.forget(subject="alice")
        assert {".salt"} == _left(folder)


def test_an_unknown_subject_leaves_nothing_behind(samples: Samples, folder: Path) -> None:
    """Not even a folder."""
    assert 0 == samples.forget(subject="nobody").pictures
    assert not folder.exists()


@pytest.mark.parametrize(
    "wish",
    [{}, {"subject": "a", "digest": "0" * 64}, {"prediction_id": "../.."}, {"digest": "../../x"}],
)
def test_a_wish_that_means_nothing_is_refused(samples: Samples, wish: dict[str, str]) -> None:
    """One of three, and of its form."""
    with pytest.raises(SamplesError):
        samples.forget(**wish)
