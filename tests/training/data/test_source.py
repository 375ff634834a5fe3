"""Classes and head are settled from the training pictures before any is opened."""

from pathlib import Path

import pytest

from pictor_training.config.schema import DataConfig
from pictor_training.data import read_source
from pictor_training.errors import ConfigError, DataError, TrainingError


def _folders(root: Path, *names: str) -> DataConfig:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "1.png").write_bytes(b"")
    return DataConfig(path=str(root))


def _manifest(root: Path, *rows: str, head: str = "auto") -> DataConfig:
    for number, _ in enumerate(rows):
        (root / f"{number}.png").write_bytes(b"")
    lines = [f"{number}.png,{row}\n" for number, row in enumerate(rows)]
    header = "path,label,split\n" if "," in rows[0] else "path,label\n"
    (root / "labels.csv").write_text("".join([header, *lines]))
    return DataConfig.model_validate({"path": str(root), "manifest": str(root / "labels.csv"), "head": head})


def test_two_classes_are_binary_and_more_are_multiclass(tmp_path: Path) -> None:
    """Labels are sorted, whatever order the file system has."""
    two = read_source(_folders(tmp_path / "two", "yes", "no"))
    three = read_source(_folders(tmp_path / "three", "b", "c", "a"))
    assert (two.labels, two.head) == (("no", "yes"), "binary")
    assert (three.labels, three.head) == (("a", "b", "c"), "multiclass")


def test_several_labels_on_one_picture_make_it_multilabel(tmp_path: Path) -> None:
    """A picture without labels is then a picture that shows none of them."""
    source = read_source(_manifest(tmp_path, "cat|dog", "cat", ""))
    assert (source.head, source.labels, source.examples[2].labels) == ("multilabel", ("cat", "dog"), ())


def test_two_classes_may_be_wanted_as_multiclass(tmp_path: Path) -> None:
    """Softmax over two classes is a valid wish, and so are independent labels with one on each picture."""
    multiclass = _folders(tmp_path / "a", "x", "y").model_copy(update={"head": "multiclass"})
    assert read_source(multiclass).head == "multiclass"
    assert read_source(_manifest(tmp_path, "x", "y", head="multilabel")).head == "multilabel"


@pytest.mark.parametrize(
    ("head", "rows", "error", "reason"),
    [
        ("binary", ("a", "b", "c"), ConfigError, "binary needs two classes; found 3: a, b, c"),
        ("binary", ("a|b", "b"), ConfigError, r"binary needs one label for each picture; 0\.png has a, b"),
        (
            "multiclass",
            ("a", "b|c"),
            ConfigError,
            r"multiclass needs one label for each picture; 1\.png has b, c",
        ),
        ("auto", ("a", "a"), DataError, "Found one class, 'a', with 2 pictures"),
        ("auto", ("a", "", "b"), DataError, r"1\.png has no label"),
        ("multilabel", ("", ""), DataError, "No picture has a label"),
        ("auto", ("a,train", "b,train", "c,test"), DataError, r"Class 'c' is held out \(test: 2\.png\)"),
        ("auto", ("a,val", "b,test"), DataError, "None of the 2 pictures is for training"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, head: str, rows: tuple[str, ...], error: type[TrainingError], reason: str
) -> None:
    """An impossible wish is a configuration error, impossible pictures are a data error."""
    with pytest.raises(error, match=reason):
        read_source(_manifest(tmp_path, *rows, head=head))


def test_multilabel_from_folders_is_refused(tmp_path: Path) -> None:
    """A folder gives exactly one label."""
    config = _folders(tmp_path, "x", "y").model_copy(update={"head": "multilabel"})
    with pytest.raises(ConfigError, match=r"needs data\.manifest"):
        read_source(config)


def test_one_level_too_deep_is_recognised(tmp_path: Path) -> None:
    """Archives unpack into a folder of their own name; the message says where the classes are."""
    with pytest.raises(DataError, match=r"Did you mean --data .*archive \(it holds cat, dog\)"):
        read_source(_folders(tmp_path / "archive", "cat", "dog").model_copy(update={"path": str(tmp_path)}))


def test_class_folders_without_files_are_refused(tmp_path: Path) -> None:
    """The layout is right, the pictures are missing."""
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="the class folders are empty"):
        read_source(DataConfig(path=str(tmp_path)))
