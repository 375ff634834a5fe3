"""Class folders become examples; everything else that lies about is counted or refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_training.data.folders import list_folders
from pictor_training.errors import DataError


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not opened here")


def _names(root: Path) -> list[tuple[str, tuple[str, ...], str | None]]:
    return [(e.path.relative_to(root).as_posix(), e.labels, e.split) for e in list_folders(root).examples]


def test_pictures_at_any_depth_belong_to_their_class_folder(tmp_path: Path) -> None:
    """The class is the first folder's name, blanks and accents included; the suffix does not matter."""
    for name in ("gâteau au chocolat/a b.JPG", "gâteau au chocolat/2024/x/c.dat", "pie/no_suffix"):
        _touch(tmp_path / name)
    assert _names(tmp_path) == [
        ("gâteau au chocolat/a b.JPG", ("gâteau au chocolat",), None),
        ("gâteau au chocolat/2024/x/c.dat", ("gâteau au chocolat",), None),
        ("pie/no_suffix", ("pie",), None),
    ]


def test_a_class_has_one_name_however_its_accents_are_stored(tmp_path: Path) -> None:
    """MacOS writes decomposed names: the same class in train and test must stay one class."""
    _touch(tmp_path / "train" / "cafe\u0301" / "a.png")
    _touch(tmp_path / "test" / "caf\u00e9" / "b.png")
    assert [labels for _, labels, _ in _names(tmp_path)] == [("caf\u00e9",), ("caf\u00e9",)]


def test_names_that_are_no_utf8_are_read(tmp_path: Path) -> None:
    """Old archives hold such names; the label must still be text that JSON can carry."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        _touch(folder / "a.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert [example.labels[0] for example in list_folders(tmp_path).examples] == ["caf\ufffd"]


@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "valid", "testing")]
)
def test_folders_named_after_the_sides_give_the_split(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    """The usual spellings are known, in any case."""
    for side in (train, val, test):
        _touch(tmp_path / side / "cat" / "1.png")
    assert [
        (f"{train}/cat/1.png", ("cat",), "train"),
        (f"{val}/cat/1.png", ("cat",), "val"),
        (f"{test}/cat/1.png", ("cat",), "test"),
    ] == _names(tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Beside other classes, and with pictures in it, "train" is a vehicle."""
    for name in ("car/1.png", "train/1.png", "plane/1.png"):
        _touch(tmp_path / name)
    assert {"car", "plane", "train"} == {labels[0] for _, labels, _ in _names(tmp_path)}


def test_what_systems_leave_behind_is_counted_and_ignored(tmp_path: Path) -> None:
    """Hidden files, thumbnails' databases and the shadow folders of archives are no pictures."""
    for name in (
        "cat/1.png",
        "cat/.DS_Store",
        "cat/Thumbs.db",
        "cat/._1.png",
        "__MACOSX/cat/1.png",
        ".git/x",
        "README",
    ):
        _touch(tmp_path / name)
    listing = list_folders(tmp_path)
    assert [example.path.name for example in listing.examples] == ["1.png"]
    assert (listing.skipped.hidden, listing.skipped.outside) == (5, 1)


def test_loops_of_links_end(tmp_path: Path) -> None:
    """Links are followed, but no folder is read twice for one class, and never the root from within."""
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png"):
        _touch(tmp_path / name)
    (tmp_path / "cat" / "deep" / "up").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "root").symlink_to(tmp_path)
    assert [name for name, _, _ in _names(tmp_path)] == ["cat/1.png", "cat/deep/2.png", "dog/3.png"]


def test_pipes_and_broken_links_are_not_opened(tmp_path: Path) -> None:
    """A pipe would hang the training for ever."""
    _touch(tmp_path / "cat" / "1.png")
    os.mkfifo(tmp_path / "cat" / "pipe")
    (tmp_path / "cat" / "gone").symlink_to(tmp_path / "nowhere")
    listing = list_folders(tmp_path)
    assert (len(listing.examples), listing.skipped.special) == (1, 2)


def test_a_class_without_pictures_is_named(tmp_path: Path) -> None:
    """An empty folder makes no class, and is not passed over in silence."""
    _touch(tmp_path / "cat" / "1.png")
    (tmp_path / "dog").mkdir()
    assert list_folders(tmp_path).skipped.empty_classes == ("dog",)


def _make_file(root: Path) -> Path:
    _touch(root / "data.zip")
    return root / "data.zip"


def _make_flat(root: Path) -> Path:
    _touch(root / "1.png")
    _touch(root / "2.png")
    return root


def _make_flat_test(root: Path) -> Path:
    _touch(root / "train" / "cat" / "1.png")
    _touch(root / "test" / "2.png")
    return root


def _make_mixture(root: Path) -> Path:
    _touch(root / "train" / "cat" / "1.png")
    _touch(root / "extra" / "2.png")
    return root


def _make_no_train(root: Path) -> Path:
    _touch(root / "val" / "cat" / "1.png")
    _touch(root / "test" / "cat" / "1.png")
    return root


def _make_twice(root: Path) -> Path:
    for side in ("train", "val", "valid"):
        _touch(root / side / "cat" / "1.png")
    return root


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda root: root / "nowhere", "There is no folder"),
        (_make_file, "is a file, not a folder"),
        (lambda root: root, "holds 0 files and no class folder"),
        (_make_flat, "holds 2 files and no class folder"),
        (_make_flat_test, "test holds no class folder, so its pictures have no labels"),
        (_make_mixture, r"beside it: extra\. Are these classes or sides"),
        (_make_no_train, "holds test, val, but no train folder"),
        (_make_twice, "both mean 'val'"),
    ],
)
def test_other_layouts_are_refused_with_what_was_found(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    """The message says what lies there, and which layout is expected."""
    with pytest.raises(DataError, match=reason):
        list_folders(make(tmp_path))


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """What the system says about a folder becomes a message, not a traceback."""
    with pytest.raises(DataError, match="cannot be read"):
        list_folders(tmp_path / ("a" * 300))
