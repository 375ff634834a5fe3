"""Pictures are decoded once; what lies on disk is never trusted unseen."""

import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pictor_contract import PictureInput, decode_picture
from pictor_training.data import cache
from pictor_training.data.cache import Decoded, decode_all, remove_older
from pictor_training.errors import DataError, TrainingError

Fill = Callable[..., Path]

INPUT = PictureInput(height=40, width=48)


def _files_in(folder: Path) -> dict[str, Path]:
    return {sha256(path.read_bytes()).hexdigest(): path for path in folder.iterdir()}


def _decode(files: dict[str, Path], folder: Path) -> tuple[Decoded, list[str]]:
    """Return the decoded pictures and the stages that were reported: none if all came from disk."""
    stages: list[str] = []
    decoded = decode_all(files, INPUT, folder, lambda stage, _done, _total: stages.append(stage))
    return decoded, stages


@pytest.fixture
def files(tmp_path: Path, fill: Fill) -> dict[str, Path]:
    """Return five pictures by the digest of their content."""
    return _files_in(fill(tmp_path / "pictures", 5))


def test_rows_are_what_decode_gives_in_the_order_of_their_hashes(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """Read-only, for the network and for the thumbnails."""
    decoded, _ = _decode(files, tmp_path / "cache")
    assert sorted(files) == [facts.content for facts in decoded.facts]
    for row, content in enumerate(sorted(files)):
        expected = decode_picture(files[content].read_bytes(), INPUT).pixels
        np.testing.assert_array_equal(expected, decoded.pictures[row])
    assert decoded.thumbnails.shape == (5, 32, 32, 3)
    assert not decoded.pictures.flags.writeable


def test_the_second_run_decodes_nothing(files: dict[str, Path], tmp_path: Path) -> None:
    """Not even the files need to be there."""
    first, stages = _decode(files, tmp_path / "cache")
    assert stages == ["decoding pictures"] * 5
    again, stages = _decode(dict.fromkeys(files, tmp_path / "gone"), tmp_path / "cache")
    assert stages == []
    assert first.facts == again.facts
    np.testing.assert_array_equal(first.pictures, again.pictures)


def test_another_input_is_another_entry(files: dict[str, Path], tmp_path: Path) -> None:
    """What decides the pixels is part of the key."""
    _decode(files, tmp_path / "cache")
    other = decode_all(
        files, PictureInput(height=20, width=20, channels=1), tmp_path / "cache", lambda *_: None
    )
    assert other.pictures.shape == (5, 20, 20, 1)


def test_added_pictures_alone_are_decoded(files: dict[str, Path], tmp_path: Path, fill: Fill) -> None:
    """Retraining with a few more pictures copies the old rows."""
    _decode(files, tmp_path / "cache")
    grown = dict.fromkeys(files, tmp_path / "gone") | _files_in(fill(tmp_path / "more", 2, start=50))
    decoded, _ = _decode(grown, tmp_path / "cache")
    assert sorted(grown) == [facts.content for facts in decoded.facts]
    for row, content in enumerate(sorted(grown)):
        path = files.get(content, grown[content])
        np.testing.assert_array_equal(decode_picture(path.read_bytes(), INPUT).pixels, decoded.pictures[row])


@pytest.mark.parametrize("suffix", ["json", "pictures", "thumbnails"])
@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_entry_is_rebuilt(files: dict[str, Path], tmp_path: Path, suffix: str, damage: str) -> None:
    """A killed process, a full disk or a bad one: the pixels are right afterwards."""
    expected = _decode(files, tmp_path / "cache")[0].pictures.copy()
    (path,) = (tmp_path / "cache").glob(f"*.{suffix}")
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "altered":
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    decoded, stages = _decode(files, tmp_path / "cache")
    assert stages == ["decoding pictures"] * 5
    np.testing.assert_array_equal(expected, decoded.pictures)


def test_an_index_of_another_kind_is_rebuilt(files: dict[str, Path], tmp_path: Path) -> None:
    """JSON that says something else is damage too."""
    _decode(files, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*.json")
    path.write_text(json.dumps(["not", "ours"]))
    assert len(_decode(files, tmp_path / "cache")[0].facts) == 5


def test_two_trainings_at_once_share_one_entry(files: dict[str, Path], tmp_path: Path) -> None:
    """The second waits for the first and decodes nothing."""
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(_decode, files, tmp_path / "cache") for _ in range(4)]
    stages = [result.result()[1] for result in results]
    assert sum(map(len, stages)) == 5
    assert len(list((tmp_path / "cache").glob("*.pictures"))) == 1


def test_unreadable_pictures_are_refused_with_the_decoders_word(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """They take no row, and the reason is kept with the entry."""
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    content = sha256(b"no picture at all").hexdigest()
    for _ in range(2):
        decoded, _ = _decode(files | {content: tmp_path / "bad.png"}, tmp_path / "cache")
        assert (
            len(decoded.facts),
            [refusal.code for refusal in decoded.refused.values()],
        ) == (5, ["picture_format_unknown"])


def test_nothing_readable_is_refused(tmp_path: Path) -> None:
    """And leaves no entry behind."""
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    with pytest.raises(DataError, match="None of 1 files is a readable picture"):
        _decode(_files_in(tmp_path), tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []


def test_a_file_that_changes_meanwhile_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    """Else the row would stand under another picture's digest."""
    next(iter(files.values())).write_bytes(b"another content")
    with pytest.raises(DataError, match="changed while it was being read"):
        _decode(files, tmp_path / "cache")


@contextmanager
def _full_disk(free_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: the nearest to a full disk that a test may do to its machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_is_an_error_and_leaves_nothing(files: dict[str, Path], tmp_path: Path) -> None:
    """No half entry that a later run could take for a whole one, and the space is given back."""
    with _full_disk(9000), pytest.raises(TrainingError, match=r"cache cannot be written \(File too large\)"):
        _decode(files, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]
    assert len(_decode(files, tmp_path / "cache")[0].facts) == 5


def test_a_cache_that_is_a_file_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(TrainingError, match="cache cannot be written"):
        _decode(files, tmp_path / "cache")


def test_an_interrupted_build_leaves_no_entry(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes as KeyboardInterrupt, here from the progress hook."""

    def interrupt(_stage: str, done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_all(files, INPUT, tmp_path / "cache", interrupt)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]
    monkeypatch.setattr(cache, "decode_picture", decode_picture)
    assert len(_decode(files, tmp_path / "cache")[0].facts) == 5


def test_older_entries_go_when_told_to(tmp_path: Path, fill: Fill) -> None:
    """The newest stay, what somebody builds stays, and who has an old one open can go on reading it."""
    folder = tmp_path / "cache"
    entries = []
    for number in range(4):
        entries.append(_decode(_files_in(fill(tmp_path / "pictures", number + 2)), folder)[0])
        for path in folder.glob("*.json"):
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**9))  # a second between two
    remove_older(folder, keep=2)
    assert (2, 2, 2) == tuple(
        len(list(folder.glob(f"*.{one}"))) for one in ("json", "pictures", "thumbnails")
    )
    assert (2, 40, 48, 3) == entries[0].pictures.copy().shape
    assert [] == _decode(_files_in(tmp_path / "pictures"), folder)[1]
    (oldest, _) = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    with FileLock(oldest.with_suffix(".lock")):
        remove_older(folder, keep=1)
    assert oldest.exists()
