"""A run's manifest: read again by training, and compared with the files as they are."""

from pathlib import Path

from nights import write_pictures
from pictor_training.config.schema import DataConfig
from pictor_training.data import read_source
from pictor_training.retraining.collecting.digests import Digests
from pictor_training.retraining.collecting.listing import list_sources
from pictor_training.retraining.collecting.manifest import is_unchanged, read_sources, write_manifest
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.config import SourceConfig


def _pictures(folder: Path) -> list[Picture]:
    listed = list_sources([SourceConfig(folder=str(folder))], folder)
    contents = Digests(folder / "digests").contents(listed.examples, lambda *_: None)
    return [
        Picture(example.path, str(content), example.labels, example.split, "here")
        for example, content in zip(listed.examples, contents, strict=True)
    ]


def test_training_reads_what_was_collected(tmp_path: Path) -> None:
    """Names with commas, quotes and newlines, in the same folder, with content and source."""
    for name in ("red, dark", 'a "red"', "red\ntwo"):
        write_pictures(tmp_path / "a", "red", 2, label=name)
    pictures = _pictures(tmp_path / "a")
    file = tmp_path / "manifest.csv"
    root = write_manifest(file, pictures)
    source = read_source(DataConfig(path=str(root), manifest=str(file)))
    assert sorted((one.path, one.labels, one.content) for one in pictures) == sorted(
        (one.path, one.labels, one.content) for one in source.examples
    )
    assert {one.content: "here" for one in pictures} == read_sources(file)


def test_sides_of_some_leave_the_others_to_training(tmp_path: Path) -> None:
    """A manifest has sides throughout or not at all."""
    for side in ("train", "test"):
        write_pictures(tmp_path / "a" / side, "red", 2, len(side))
    write_pictures(tmp_path / "b", "blue", 2)
    pictures = [*_pictures(tmp_path / "a"), *_pictures(tmp_path / "b")]
    root = write_manifest(tmp_path / "manifest.csv", pictures)
    source = read_source(DataConfig(path=str(root), manifest=str(tmp_path / "manifest.csv")))
    assert ["test", "test", "train", "train", "train", "train"] == sorted(
        str(one.split) for one in source.examples
    )


def test_a_changed_or_missing_file_is_noticed(tmp_path: Path) -> None:
    """By its content."""
    write_pictures(tmp_path / "a", "red", 2)
    file = tmp_path / "manifest.csv"
    root = write_manifest(file, _pictures(tmp_path / "a"))
    digests = Digests(tmp_path / "digests")
    assert is_unchanged(file, root, digests)
    first, second = sorted((tmp_path / "a" / "red").iterdir())
    first.write_bytes(second.read_bytes())
    assert not is_unchanged(file, root, digests)
    first.unlink()
    assert not is_unchanged(file, root, digests)
