"""Pictures with feedback, from where the gateway captured them to where the job reads them."""

from hashlib import sha256
from pathlib import Path

import pytest

from nights import COLOURS, NAME, Nights, write_pictures
from pictor_store.samples import Judgement, Sample, Samples, open_samples
from pictor_training.errors import StoreFailed, TrainingError
from pictor_training.retraining.collecting.forgotten import read_forgotten
from pictor_training.retraining.collecting.samples import bring_samples, folder_of, labels_of
from pictor_training.retraining.config import SourceConfig

DAY = "2030-01-31"


def _capture(samples: Samples, number: int, content: bytes, label: tuple[str, ...]) -> str:
    """Capture a picture and give it a label; its content's digest."""
    sample_id, digest = f"{number:024x}", sha256(content).hexdigest()
    at = f"{DAY}T00:00:00+00:00"
    sample = Sample(
        id=sample_id,
        model=NAME,
        version=1,
        day=DAY,
        captured_utc=at,
        reason="sampled",
        suffix="png",
        sha256=digest,
        format="PNG",
        width=8,
        height=8,
        predicted=("red",),
        scores={"red": 0.9},
        subject="",
    )
    samples.write(sample, content)
    samples.judge(Judgement(sample_id, NAME, 1, DAY, at, label, ("red",), correct=True))
    return digest


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Return a place without samples."""
    return open_samples(tmp_path / "samples")


def _bring(tmp_path: Path) -> tuple[frozenset[str], list[str]]:
    return _bring_from(SourceConfig(samples=str(tmp_path / "samples")), tmp_path)


def _bring_from(source: SourceConfig, tmp_path: Path) -> tuple[frozenset[str], list[str]]:
    return bring_samples([source], NAME, tmp_path / "collected", tmp_path / "job" / "forgotten.txt")


def _copies(tmp_path: Path) -> set[str]:
    collected = tmp_path / "collected"
    return {path.relative_to(collected).as_posix() for path in collected.glob("*/*")}


def test_labelled_samples_are_copied_once(samples: Samples, tmp_path: Path) -> None:
    """Under their label, by their content; a second night copies nothing."""
    digest = _capture(samples, 1, b"one", ("red",))
    for _ in range(2):
        assert (frozenset(), []) == _bring(tmp_path)
    assert {f"red/{digest}.png"} == _copies(tmp_path)


def test_another_label_moves_the_copy(samples: Samples, tmp_path: Path) -> None:
    """The last word counts."""
    _capture(samples, 1, b"one", ("red",))
    _bring(tmp_path)
    digest = _capture(samples, 1, b"one", ("green",))
    _bring(tmp_path)
    assert {f"green/{digest}.png"} == _copies(tmp_path)


def test_the_copy_outlives_the_sample(samples: Samples, tmp_path: Path) -> None:
    """The gateway's retention is not training's."""
    digest = _capture(samples, 1, b"one", ("red",))
    _bring(tmp_path)
    samples.sweep(max_bytes=0)
    _bring(tmp_path)
    assert {f"red/{digest}.png"} == _copies(tmp_path)


def test_what_is_forgotten_goes_and_does_not_come_back(samples: Samples, tmp_path: Path) -> None:
    """Also where nobody told the folder of copies."""
    digest = _capture(samples, 1, b"one", ("red",))
    _bring(tmp_path)
    samples.forget(digest=digest)
    assert frozenset({digest}) == _bring(tmp_path)[0]
    assert set() == _copies(tmp_path)


@pytest.mark.parametrize("away", ["nowhere://at/all", "not-mounted"])
def test_what_is_forgotten_stays_so_while_its_place_is_away(
    samples: Samples, tmp_path: Path, away: str
) -> None:
    """A place that cannot be read, and a folder that is not mounted and looks empty."""
    digest = _capture(samples, 1, b"one", ("red",))
    samples.forget(digest=digest)
    _bring(tmp_path)
    where = away if "://" in away else str(tmp_path / away)
    assert frozenset({digest}) == _bring_from(SourceConfig(samples=where, optional=True), tmp_path)[0]


@pytest.mark.parametrize("content", [b"red\n", b"\xff"])
def test_a_damaged_list_of_the_forgotten_is_not_taken_for_none(tmp_path: Path, content: bytes) -> None:
    """Else what it names would be learnt."""
    (tmp_path / "forgotten.txt").write_bytes(content)
    with pytest.raises(TrainingError, match="must not be learnt from"):
        read_forgotten(tmp_path / "forgotten.txt")


def test_only_what_has_no_copy_is_read(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years of samples cost a night their records, also where a label changes, and not their pictures."""
    first = _capture(samples, 1, b"one", ("red",))
    _bring(tmp_path)
    _capture(samples, 1, b"one", ("green",))
    second = _capture(samples, 2, b"two", ("red",))
    read: list[str] = []
    content = Samples.content

    def watched(self: Samples, sample: Sample) -> bytes | None:
        read.append(sample.sha256)
        return content(self, sample)

    monkeypatch.setattr(Samples, "content", watched)
    _bring(tmp_path)
    assert ({f"green/{first}.png", f"red/{second}.png"}, [second]) == (_copies(tmp_path), read)


def test_a_damaged_sample_is_not_copied(samples: Samples, tmp_path: Path) -> None:
    """The others are."""
    _capture(samples, 1, b"one", ("red",))
    digest = _capture(samples, 2, b"two", ("red",))
    (tmp_path / "samples" / NAME / DAY / f"{1:024x}.png").write_bytes(b"other")
    _bring(tmp_path)
    assert {f"red/{digest}.png"} == _copies(tmp_path)


def test_a_copy_that_cannot_be_removed_stops_the_night(samples: Samples, tmp_path: Path) -> None:
    """What is forgotten must not be learnt because a folder is read-only; here a folder has the name."""
    digest = _capture(samples, 1, b"one", ("red",))
    samples.forget(digest=digest)
    (tmp_path / "collected" / "red" / f"{digest}.png").mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"cannot be read or changed .* run the command again"):
        _bring(tmp_path)


def test_a_place_that_cannot_be_read_stops_the_night_unless_it_is_optional(tmp_path: Path) -> None:
    """What was copied before is used then."""
    broken = SourceConfig(samples="nowhere://at/all")
    with pytest.raises(StoreFailed):
        _bring_from(broken, tmp_path)
    notes = _bring_from(broken.model_copy(update={"optional": True}), tmp_path)[1]
    assert "nowhere://at/all are left out" in notes[0]


@pytest.mark.parametrize(
    "labels", [("cat",), ("a", "b"), (), ("../..",), (".",), ("a/b",), ("%41",), ("röd häst",), ("%",)]
)
def test_any_label_has_a_safe_folder(labels: tuple[str, ...], tmp_path: Path) -> None:
    """It stays below the collected folder, and is turned back into the label."""
    name = folder_of(labels)
    assert labels == labels_of(name)
    assert tmp_path == (tmp_path / name).resolve().parent
    assert not name.startswith(".")


def test_feedback_is_learnt_from(served: Nights) -> None:
    """Twelve labelled samples make the next version; forgotten ones are gone from the one after."""
    samples = open_samples(served.folder / "samples")
    served.settings["sources"] = [{"folder": "pictures"}, {"samples": "samples"}]
    assert "Nothing new" in served.run().lines[0]
    folder = write_pictures(served.folder / "seen", "red", 12, 300)
    digests = [
        _capture(samples, number, path.read_bytes(), ("red",))
        for number, path in enumerate(sorted(folder.iterdir()))
    ]
    assert 0 == served.run().exit_code
    assert (72, 12) == tuple(served.verdict()["collected"][key] for key in ("pictures", "new"))
    samples.forget(digest=digests[0])
    assert 0 == served.run().exit_code
    assert 71 == served.verdict()["collected"]["pictures"]
    assert digests[0] not in (served.last_run() / "contents.csv").read_text()


def test_a_forgotten_picture_is_not_learnt_from_a_folder_either(served: Nights) -> None:
    """The tombstone is for the content, wherever it comes from; it is no loss that stops the night."""
    samples = open_samples(served.folder / "samples")
    served.settings["sources"] = [{"folder": "pictures"}, {"samples": "samples"}]
    for path in sorted((served.pictures / "red").iterdir())[:5]:
        samples.forget(digest=sha256(path.read_bytes()).hexdigest())
    assert 0 == served.run().exit_code
    assert 20 * len(COLOURS) - 20 - 5 == served.verdict()["collected"]["pictures"]
