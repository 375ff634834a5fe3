"""`pictor samples`: list, show, forget and sweep, for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pictor_store.cli.samples import samples as command
from pictor_store.samples import Judgement, Sample, Samples, digest_of

MakeSample = Callable[..., Sample]
MakeJudgement = Callable[..., Judgement]
HERS = digest_of(b"hers")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture
def one(samples: Samples, sample: MakeSample, judgement: MakeJudgement) -> Sample:
    """Have one labelled picture of alice's there."""
    made = sample(1, b"hers", subject=samples.subject_key(b"alice"))
    samples.write(made, b"hers")
    samples.judge(judgement(made))
    return made


def test_list_counts_by_model(folder: Path, one: Sample) -> None:
    """As a table and as JSON."""
    (row,) = json.loads(_run("list", "--samples", folder, "--json").stdout)
    assert ("pets", 1, 1, one.day) == (row["model"], row["pictures"], row["labels"], row["first_day"])
    head, line = _run("list", "--samples", folder).stdout.splitlines()
    assert (head.split()[0], line.split()[:2]) == ("MODEL", ["pets", "1"])
    assert "No pictures" in _run("list", "--samples", folder / "elsewhere").stdout


def test_show_prints_record_and_label(folder: Path, one: Sample) -> None:
    """Of the prediction that the id means; nothing of it is a failure."""
    shown = json.loads(_run("show", one.id, "--samples", folder).stdout)
    assert ("cat", ["dog"]) == (shown["sample"]["predicted"][0], shown["judgement"]["label"])
    assert 1 == _run("show", f"{9:024x}", "--samples", folder).exit_code
    assert 1 == _run("show", "../..", "--samples", folder).exit_code


def test_forget_deletes_everywhere(folder: Path, tmp_path: Path, one: Sample) -> None:
    """Samples, collected copies whatever their name, decoded pictures; and it says what it deleted."""
    collected, runs = tmp_path / "runs" / "collected" / "pets", tmp_path / "runs"
    for name, content in (
        (f"cat/{HERS}.jpg", b"hers"),
        ("dog/holiday.jpg", b"hers"),
        ("dog/other.jpg", b"other"),
    ):
        (collected / name).parent.mkdir(parents=True, exist_ok=True)
        (collected / name).write_bytes(content)
    (runs / ".cache").mkdir()
    (runs / ".cache" / "x.pictures").write_bytes(b"decoded")
    arguments = (
        "forget",
        "--samples",
        folder,
        "--collected",
        collected,
        "--runs",
        runs,
        "--subject",
        "alice",
    )
    told = json.loads(_run(*arguments, "--json").stdout)
    assert (1, 1, [HERS], 2, 1) == (
        told["pictures"],
        told["labels"],
        told["sha256"],
        len(told["copies"]),
        len(told["caches"]),
    )
    assert ["other.jpg"] == [path.name for path in collected.rglob("*.*")]
    assert not (runs / ".cache").exists()
    assert "Nothing of it was found" in _run(*arguments).stdout


def test_forget_by_picture_also_what_was_never_captured(folder: Path, tmp_path: Path) -> None:
    """The tombstone stands before anything comes."""
    picture = tmp_path / "hers.jpg"
    picture.write_bytes(b"hers")
    done = _run("forget", "--samples", folder, "--picture", picture)
    assert (0, True) == (done.exit_code, "1 contents will not be collected again" in done.stdout)
    assert (folder / ".forgotten" / f"{HERS}.json").exists()


def test_forget_follows_no_links(folder: Path, tmp_path: Path, one: Sample) -> None:
    """What a link names lies elsewhere, and may be anybody's."""
    elsewhere, runs = tmp_path / "elsewhere", tmp_path / "runs"
    (elsewhere / "deeper").mkdir(parents=True)
    (elsewhere / "deeper" / "hers.jpg").write_bytes(b"hers")
    runs.mkdir()
    (runs / "link").symlink_to(elsewhere)
    (runs / ".cache").symlink_to(elsewhere)
    done = _run("forget", "--samples", folder, "--collected", runs, "--id", one.id)
    assert (0, True) == (done.exit_code, (elsewhere / "deeper" / "hers.jpg").exists())
    done = _run("forget", "--samples", folder, "--runs", runs, "--id", one.id)
    assert (1, True) == (done.exit_code, "is a link" in done.output)
    assert (elsewhere / "deeper").exists()


def test_sweep_says_what_it_deleted(folder: Path, one: Sample) -> None:
    """By size here; by age likewise."""
    assert "Deleted 1 pictures" in _run("sweep", "--samples", folder, "--max-bytes", 0).stdout
    assert (
        0 == json.loads(_run("sweep", "--samples", folder, "--max-age-days", 1, "--json").stdout)["pictures"]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("sweep", "--samples", "x"),
        ("sweep", "--samples", "x", "--max-bytes", "-1"),
        ("forget", "--samples", "x"),
        ("forget", "--samples", "x", "--subject", "a", "--id", "b"),
        ("forget", "--subject", "a"),
        ("forget", "--samples", "x", "--picture", "not there"),
    ],
)
def test_a_command_without_sense_is_refused(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing was done."""
    assert 2 == _run(*arguments).exit_code


def test_a_place_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """No traceback, exit code 1."""
    done = _run("list", "--samples", "nonsense://bucket/x")
    assert (1, True) == (done.exit_code, done.output.startswith("Error: "))
    (tmp_path / ".salt").write_bytes(b"?")
    assert 1 == _run("forget", "--samples", tmp_path, "--subject", "alice").exit_code
