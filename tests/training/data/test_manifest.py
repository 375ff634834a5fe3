"""A CSV manifest is read as people write it, and refused with the line that is wrong."""

from hashlib import sha256
from pathlib import Path

import pytest

from pictor_training.data.contents import Refusal, hash_contents
from pictor_training.data.manifest import list_manifest
from pictor_training.errors import DataError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of three files."""
    folder = tmp_path / "data"
    (folder / "with blank").mkdir(parents=True)
    for name in ("a.png", "b.png", "with blank/c,d.png"):
        (folder / name).write_bytes(b"")
    return folder


def _write(data: Path, text: str, encoding: str = "utf-8") -> Path:
    path = data.parent / "labels.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_paths_labels_and_splits_are_read(data: Path, encoding: str) -> None:
    """With and without a byte order mark; several labels by "|", sorted and once each; quoted commas."""
    text = 'path,label,split\na.png,été|blue|blue,train\n"with blank/c,d.png",blue,val\nb.png,blue,test\n'
    listing = list_manifest(_write(data, text, encoding), data)
    assert [(e.path.relative_to(data).as_posix(), e.labels, e.split) for e in listing.examples] == [
        ("a.png", ("blue", "été"), "train"),
        ("with blank/c,d.png", ("blue",), "val"),
        ("b.png", ("blue",), "test"),
    ]


def test_paths_may_be_relative_to_the_manifest(data: Path) -> None:
    """The manifest lies beside the folder, and its paths begin there."""
    listing = list_manifest(
        _write(data, "Path, Label ,note\r\ndata/a.png,x,\r\n\r\ndata/b.png,y,!\r\n"), data
    )
    assert (data.parent, 2) == (listing.root, len(listing.examples))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the column 'path' must stand there once; found: none"),
        ("path;label\na.png;x\n", "line 1: the column 'path' must stand there once; found: path;label"),
        ("path,class\na.png,x\n", "line 1: the column 'label' must stand there once; found: path, class"),
        ("path,label\n", "names no picture"),
        ("path,label\na.png,x\nz.png,y\n", "line 3: there is no file 'z.png'"),
        ("path,label\na.png,x\n../b.png,y\n", "line 3: '../b.png' leaves the folder"),
        ("path,label\na.png,x\n/etc/passwd,y\n", "line 3: '/etc/passwd' leaves the folder"),
        (f"path,label\na.png,x\n{'n' * 5000},y\n", "line 3: there is no file"),
        ("path,label\na.png,x\n,y\n", "line 3: the path is empty"),
        ("path,label\na.png,x\nb.png\n", "line 3: the number of cells differs"),
        ("path,label\na.png,x,y\n", "line 2: the number of cells differs"),
        ("path,label\na.png,x||y\n", "line 2: an empty label"),
        ("path,label\na.png,x\n./a.png,y\n", "line 3: './a.png' already stands in line 2. Several labels"),
        (
            "path,label,split\na.png,x,train\nb.png,y,dev\n",
            "line 3: unknown split 'dev'. Expected train, val or test",
        ),
        (
            "path,label,split\na.png,x,train\nb.png,y,\n",
            "line 3: some rows have a split and others have none",
        ),
        ('path,label\n"a.png,x\n', "is not CSV"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_line(data: Path, text: str, reason: str) -> None:
    """Nothing is guessed and nothing is skipped: a label that is lost in silence is a wrong model."""
    with pytest.raises(DataError) as refusal:
        list_manifest(_write(data, text), data)
    assert reason in str(refusal.value)


def test_a_manifest_that_is_missing_or_no_text_is_refused(data: Path) -> None:
    """The reason names the file."""
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        list_manifest(data / "gone.csv", data)
    with pytest.raises(DataError, match="is not UTF-8"):
        list_manifest(_write(data, "path,label\na.png,été\n", "latin-1"), data)


def test_a_content_that_the_manifest_states_is_held_to(data: Path) -> None:
    """A file that is another by now is left out, as if it could not be read; a row may leave it open."""
    empty = sha256(b"").hexdigest()
    rows = f"path,label,sha256\na.png,red,{empty}\nb.png,blue,{'0' * 64}\nwith blank/c,blue,\n"
    (data / "with blank" / "c").write_bytes(b"c")
    examples = list_manifest(_write(data, rows), data).examples
    same, other, unstated = hash_contents(examples, lambda *_: None)
    assert (empty, sha256(b"c").hexdigest()) == (same, unstated)
    assert isinstance(other, Refusal)
    assert "file_changed" == other.code
