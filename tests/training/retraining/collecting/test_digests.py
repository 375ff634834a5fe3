"""What has not been touched is not read again, and what has been is."""

import os
import time
from pathlib import Path

import pytest

from pictor_training.data.contents import Refusal
from pictor_training.data.example import Example
from pictor_training.retraining.collecting import digests as module
from pictor_training.retraining.collecting.digests import Digests

OLD_S = time.time() - 3600


@pytest.fixture
def files(tmp_path: Path) -> list[Example]:
    """Write two files."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    return [Example(tmp_path / name, ("x",)) for name in ("one", "two")]


def _asked(memory: Path, files: list[Example]) -> tuple[list[str | Refusal], int]:
    """Return the contents, and how many files were read for them."""
    read: list[int] = []
    digests = Digests(memory)
    contents = digests.contents(files, lambda _, done, __: read.append(done))
    digests.save()
    return contents, len(read)


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files seem to have been there for an hour."""
    monkeypatch.setattr(module.time, "time", lambda: OLD_S + 7200)


@pytest.mark.usefixtures("an_hour_later")
def test_an_untouched_file_is_read_once(files: list[Example], tmp_path: Path) -> None:
    """The second time its digest is remembered."""
    first, second = (_asked(tmp_path / "digests", files) for _ in range(2))
    assert (first[0], 2, 0) == (second[0], first[1], second[1])


@pytest.mark.usefixtures("an_hour_later")
def test_a_file_of_the_same_size_and_time_is_read_again(files: list[Example], tmp_path: Path) -> None:
    """A program can set the modification time back; the change time it cannot."""
    before = _asked(tmp_path / "digests", files)[0]
    stat = files[0].path.stat()
    files[0].path.write_text("eno")
    os.utime(files[0].path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after, read = _asked(tmp_path / "digests", files)
    assert (1, before[1]) == (read, after[1])
    assert before[0] != after[0]


def test_a_file_changed_just_now_is_not_remembered(files: list[Example], tmp_path: Path) -> None:
    """It may change again before the file system's clock moves on."""
    assert [2, 2] == [_asked(tmp_path / "digests", files)[1] for _ in range(2)]


@pytest.mark.usefixtures("an_hour_later")
def test_a_damaged_memory_costs_reading_all_again(files: list[Example], tmp_path: Path) -> None:
    """Nothing else."""
    contents = _asked(tmp_path / "digests", files)[0]
    (tmp_path / "digests").write_text('{"a": 1}')
    assert (contents, 2) == _asked(tmp_path / "digests", files)


def test_a_file_that_changes_while_it_is_read_is_refused(
    files: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is still copying it; the next night finds it whole."""

    def hash_and_change(examples: list[Example], _: object) -> list[str]:
        examples[0].path.write_text("longer")
        return ["0" * 64 for _ in examples]

    monkeypatch.setattr(module, "hash_contents", hash_and_change)
    first, second = _asked(tmp_path / "digests", files)[0]
    assert isinstance(first, Refusal)
    assert ("file_changed", "0" * 64) == (first.code, second)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """It vanished since it was listed."""
    (content,) = _asked(tmp_path / "digests", [Example(tmp_path / "gone", ("x",))])[0]
    assert isinstance(content, Refusal)
