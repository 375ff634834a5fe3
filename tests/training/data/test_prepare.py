"""From a messy folder to rows that can be trusted."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pictor_contract import decode_picture
from pictor_training.data import PreparedData
from pictor_training.data.cache import THUMBNAIL
from pictor_training.data.duplicates import group_near_duplicates
from pictor_training.errors import DataError

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]
Fill = Callable[..., Path]
Prepare = Callable[..., PreparedData]


@pytest.fixture
def messy(tmp_path: Path, draw: Draw, encode: Encode, fill: Fill) -> Path:
    """Two classes of 40, copies of every kind in both classes and under wrong names, and broken files."""
    root = tmp_path / "messy pictures"
    fill(root / "left", 40)
    fill(root / "right side", 40, start=100)
    for number in range(20):
        (root / "left" / f"copy of {number}.bmp").write_bytes((root / "left" / f"{number}.bmp").read_bytes())
    for number in range(30, 40):
        image = draw(number, 80)
        (root / "left" / f"{number} saved again.png").write_bytes(encode(image, "JPEG", quality=70))
        (root / "left" / f"{number} scaled.png").write_bytes(encode(image.resize((120, 100))))
    for number in (100, 101):
        (root / "left" / f"{number}.bmp").write_bytes((root / "right side" / f"{number}.bmp").read_bytes())
    for number in (102, 103):
        (root / "left" / f"{number}.webp").write_bytes(encode(draw(number, 80), "WEBP", quality=80))
    broken = encode(draw(200), "JPEG")
    (root / "left" / "broken.jpg").write_bytes(broken[: len(broken) // 2])
    (root / "right side" / "notes.txt").write_text("not a picture")
    (root / "right side" / "empty.png").write_bytes(b"")
    return root


def _digests(data: PreparedData, rows: NDArray[np.int64]) -> set[str]:
    return {data.contents[row] for row in rows}


def test_no_held_out_picture_has_a_duplicate_in_training(messy: Path, prepared: Prepare) -> None:
    """Checked from the files anew: neither the same bytes nor the same picture on two sides."""
    data = prepared(messy)
    sides = [data.train, data.val, data.test]
    assert all(len(rows) > 0 for rows in sides)
    contents = [
        {sha256((messy / data.paths[row]).read_bytes()).hexdigest() for row in rows} for rows in sides
    ]
    assert set() == contents[0] & contents[1] == contents[0] & contents[2] == contents[1] & contents[2]
    side_of = {row: side for side, rows in enumerate(sides) for row in rows.tolist()}
    pictures = [decode_picture((messy / path).read_bytes(), THUMBNAIL) for path in data.paths]
    groups = group_near_duplicates(
        np.stack([picture.pixels for picture in pictures]),
        [min(picture.width, picture.height) for picture in pictures],
        4,
        lambda *_: None,
    )
    for group in np.unique(groups):
        assert len({side_of[row] for row in np.flatnonzero(groups == group).tolist() if row in side_of}) <= 1


def test_the_audit_finds_what_was_hidden(messy: Path, prepared: Prepare) -> None:
    """Each kind of mess is named, with its files."""
    audit = prepared(messy).audit
    assert ("left/0.bmp", "left/copy of 0.bmp") in audit.exact_duplicates
    assert len(audit.exact_duplicates) == 22
    assert ("left/39 saved again.png", "left/39 scaled.png", "left/39.bmp") in audit.near_duplicates
    assert len(audit.near_duplicates) == 12
    assert [conflict.paths for conflict in audit.conflicts] == [
        ("left/100.bmp", "right side/100.bmp"),
        ("left/101.bmp", "right side/101.bmp"),
    ]
    assert [conflict.paths for conflict in audit.near_conflicts] == [
        ("left/102.webp", "right side/102.bmp"),
        ("left/103.webp", "right side/103.bmp"),
    ]
    assert {("left/39 saved again.png", "JPEG")} <= {(one.path, one.format) for one in audit.wrong_extensions}
    assert len(audit.wrong_extensions) == 10
    assert [(one.path, one.code) for one in audit.unreadable] == [
        ("left/broken.jpg", "picture_broken"),
        ("right side/empty.png", "picture_empty"),
        ("right side/notes.txt", "picture_format_unknown"),
    ]
    assert (audit.files, audit.used, sum(audit.formats.values())) == (127, 100, 100)


def test_the_audit_is_json_and_short_in_a_terminal(messy: Path, prepared: Prepare) -> None:
    """One line for each kind of finding, each of bearable length."""
    audit = prepared(messy).audit
    read_back = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
    assert read_back["unreadable"][0]["code"] == "picture_broken"
    lines = audit.lines()
    assert lines[0].startswith("127 files, 100 pictures used (")
    assert len(lines) < 15
    assert max(map(len, lines)) < 250


def test_conflicting_pictures_are_on_no_side(messy: Path, prepared: Prepare) -> None:
    """Nobody knows which label is right, so no copy is used."""
    data = prepared(messy)
    rows = [row for row, path in enumerate(data.paths) if path in ("left/100.bmp", "left/101.bmp")]
    assert len(rows) == 2
    assert set() == set(rows) & {*data.train.tolist(), *data.val.tolist(), *data.test.tolist()}


def test_rows_targets_and_paths_belong_together(messy: Path, prepared: Prepare) -> None:
    """Each used row has one label, its folder's, and the pixels of its file."""
    data = prepared(messy)
    used = np.concatenate([data.train, data.val, data.test])
    assert len(set(used.tolist())) == len(used) == data.audit.used
    for row in used:
        (column,) = np.flatnonzero(data.targets[row])
        assert data.labels[column] == data.paths[row].split("/")[0]
    shape = (len(data.paths), *data.pictures.shape[1:])
    assert data.pictures.shape == shape
    assert data.targets.dtype.name == "float32"
    assert all((np.diff(rows) > 0).all() for rows in (data.train, data.val, data.test))


def test_the_result_is_the_same_wherever_the_pictures_lie(
    messy: Path, prepared: Prepare, tmp_path: Path
) -> None:
    """Contents decide: names, folders' places and times do not."""
    first = prepared(messy)
    moved = messy.rename(tmp_path / "moved")
    for path in list((moved / "left").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    second = prepared(moved)
    assert first.fingerprint == second.fingerprint
    for side in ("train", "val", "test"):
        assert _digests(first, getattr(first, side)) == _digests(second, getattr(second, side))


def test_the_split_does_not_hang_on_the_input(
    messy: Path, prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs with other picture sizes are judged by the same pictures."""
    first = prepared(messy)
    monkeypatch.setattr("pictor_training.data.survey.LADDER", (40,))
    second = prepared(messy)
    assert first.pictures.shape[1:] != second.pictures.shape[1:]
    np.testing.assert_array_equal(first.test, second.test)


def test_added_pictures_leave_the_old_ones_where_they_were(
    tmp_path: Path, prepared: Prepare, fill: Fill
) -> None:
    """The next training is judged by the same pictures, and by some of the new ones."""
    fill(tmp_path / "d" / "a", 60)
    fill(tmp_path / "d" / "b", 60, start=100)
    first = prepared(tmp_path / "d")
    fill(tmp_path / "d" / "a", 15, start=300)
    fill(tmp_path / "d" / "b", 15, start=400)
    second = prepared(tmp_path / "d")
    assert (first.audit.filled, second.audit.filled) == ((), ())
    for side in ("train", "val", "test"):
        old, new = _digests(first, getattr(first, side)), _digests(second, getattr(second, side))
        assert old == new & set(first.contents)
    assert first.fingerprint != second.fingerprint


def test_given_sides_lose_the_copies_that_leak(
    tmp_path: Path, fill: Fill, draw: Draw, encode: Encode, prepared: Prepare
) -> None:
    """Exact and near: the held-out picture stays, its copy in train goes, and the audit says so."""
    for offset, label in ((0, "a"), (100, "b")):
        fill(tmp_path / "d" / "train" / label, 10, start=offset)
        fill(tmp_path / "d" / "val" / label, 3, start=offset + 20)
        fill(tmp_path / "d" / "test" / label, 3, start=offset + 30)
    (tmp_path / "d" / "train" / "a" / "exact.bmp").write_bytes(encode(draw(30), "BMP"))
    (tmp_path / "d" / "train" / "a" / "near.jpg").write_bytes(encode(draw(31), "JPEG", quality=80))
    (tmp_path / "d" / "val" / "b" / "near.jpg").write_bytes(encode(draw(130), "JPEG", quality=80))
    data = prepared(tmp_path / "d")
    assert [(leak.path, leak.side, leak.kept, leak.kept_side) for leak in data.audit.leaks] == [
        ("train/a/exact.bmp", "train", "test/a/30.bmp", "test"),
        ("train/a/near.jpg", "train", "test/a/31.bmp", "test"),
        ("val/b/near.jpg", "val", "test/b/130.bmp", "test"),
    ]
    assert (len(data.train), len(data.val), len(data.test)) == (20, 6, 6)


def test_several_labels_become_several_ones(tmp_path: Path, fill: Fill, prepared: Prepare) -> None:
    """A picture without labels is all zeros, and is used."""
    fill(tmp_path / "d", 30)
    labels = ["sun|sea", "sea", ""] * 10
    rows = [f"{number}.bmp,{label}\n" for number, label in enumerate(labels)]
    (tmp_path / "labels.csv").write_text("path,label\n" + "".join(rows))
    data = prepared(tmp_path / "d", manifest=str(tmp_path / "labels.csv"))
    assert (data.head, data.labels) == ("multilabel", ("sea", "sun"))
    expected = {"sun|sea": [1, 1], "sea": [1, 0], "": [0, 0]}
    for path, target in zip(data.paths, data.targets, strict=True):
        assert expected[labels[int(path.removesuffix(".bmp"))]] == target.tolist()


def test_an_unreadable_picture_may_stop_the_training(messy: Path, prepared: Prepare) -> None:
    """`on_unreadable: fail` names the first and counts them all."""
    with pytest.raises(DataError, match=r"3 files cannot be decoded.*left/broken\.jpg"):
        prepared(messy, on_unreadable="fail")


def test_a_class_of_which_nothing_is_left_is_refused(tmp_path: Path, fill: Fill, prepared: Prepare) -> None:
    """A label that the network never sees must not be in its answer."""
    fill(tmp_path / "d" / "a", 10)
    (tmp_path / "d" / "b").mkdir()
    (tmp_path / "d" / "b" / "1.png").write_text("no picture")
    with pytest.raises(DataError, match="Class 'b' has no picture left to train on"):
        prepared(tmp_path / "d")


def test_too_few_pictures_are_refused(tmp_path: Path, fill: Fill, prepared: Prepare) -> None:
    """Two classes of two can be trained and tested, but not validated."""
    fill(tmp_path / "d" / "a", 2)
    fill(tmp_path / "d" / "b", 2, start=10)
    with pytest.raises(DataError, match=r"4 different pictures are too few .* none is left for val"):
        prepared(tmp_path / "d")


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, fill: Fill, prepared: Prepare) -> None:
    """A film among the pictures costs no memory: its size is looked at first."""
    fill(tmp_path / "d" / "a", 5)
    fill(tmp_path / "d" / "b", 5, start=10)
    with (tmp_path / "d" / "a" / "film.mp4").open("wb") as file:
        file.truncate(10**11)
    (found,) = prepared(tmp_path / "d").audit.unreadable
    assert (found.path, found.code) == ("a/film.mp4", "picture_too_large")


def test_every_row_knows_the_size_of_its_file(
    tmp_path: Path, fill: Fill, draw: Draw, encode: Encode, prepared: Prepare
) -> None:
    """Upright, as a viewer shows it, and not as the model gets it."""
    for number, label in enumerate(("left", "right")):
        fill(tmp_path / label, 20, start=100 * number)
    turned = Image.Exif()
    turned[0x0112] = 6
    file = tmp_path / "left" / "turned.jpg"
    file.write_bytes(encode(draw(500).resize((90, 60)), "JPEG", exif=turned))  # type: ignore[arg-type] # Pillow
    data = prepared(tmp_path)
    sizes = {
        path: (width, height) for path, (width, height) in zip(data.paths, data.sizes.tolist(), strict=True)
    }
    assert (60, 90) == sizes.pop("left/turned.jpg")
    assert {(80, 80)} == set(sizes.values())
