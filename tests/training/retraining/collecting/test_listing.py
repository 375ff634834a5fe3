"""Every source's files, once each, with their source."""

import os
from pathlib import Path

import pytest

from nights import write_pictures
from pictor_training.errors import DataError
from pictor_training.retraining.collecting.listing import Listed, list_sources
from pictor_training.retraining.config import SourceConfig


def _list(folder: Path, *sources: SourceConfig) -> Listed:
    return list_sources(sources, folder / "collected")


def _folder(folder: Path, colour: str = "red", count: int = 3) -> SourceConfig:
    write_pictures(folder, colour, count)
    return SourceConfig(folder=str(folder))


def test_folders_and_manifests_are_one_list(tmp_path: Path) -> None:
    """Each file has the source that names it."""
    folder = _folder(tmp_path / "a")
    write_pictures(tmp_path / "b", "blue", 2)
    (tmp_path / "b.csv").write_text("path,label\nb/blue/blue-0.png,sea\nb/blue/blue-1.png,sky\n")
    listed = _list(tmp_path, folder, SourceConfig(manifest=str(tmp_path / "b.csv")))
    labels = [example.labels[0] for example in listed.examples]
    assert ["red"] * 3 + ["sea", "sky"] == labels
    assert [str(tmp_path / "a")] * 3 + [str(tmp_path / "b.csv")] * 2 == listed.sources


def test_a_file_that_two_sources_name_alike_counts_once(tmp_path: Path) -> None:
    """Under different labels it counts not at all, and that is said."""
    folder = _folder(tmp_path / "a")
    (tmp_path / "a.csv").write_text("path,label\na/red/red-0.png,red\na/red/red-1.png,rose\n")
    listed = _list(tmp_path, folder, SourceConfig(manifest=str(tmp_path / "a.csv")))
    assert ["red-0.png", "red-2.png"] == [example.path.name for example in listed.examples]
    assert any("red-1.png is left out: two sources" in note for note in listed.notes)


def test_a_name_that_no_manifest_can_hold_is_left_out_and_said(tmp_path: Path) -> None:
    """One such file does not stop the night."""
    folder = _folder(tmp_path / "a")
    odd = os.fsencode(tmp_path / "a" / "red") + b"/\xff.png"
    with Path(os.fsdecode(odd)).open("wb") as file:
        file.write(b"x")
    (tmp_path / "a" / "red" / "trailing ").write_bytes(b"y")
    listed = _list(tmp_path, folder)
    assert 3 == len(listed.examples)
    assert 2 == sum("is left out: its name" in note for note in listed.notes)


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_source_is_refused_unless_it_is_optional(tmp_path: Path, *, made: bool) -> None:
    """Missing or empty: a mount that failed looks like both."""
    folder = _folder(tmp_path / "a")
    if made:
        (tmp_path / "b").mkdir()
    missing = SourceConfig(folder=str(tmp_path / "b"))
    with pytest.raises(DataError, match="b"):
        _list(tmp_path, folder, missing)
    listed = _list(tmp_path, folder, missing.model_copy(update={"optional": True}))
    assert (3, 1) == (len(listed.examples), len(listed.notes))


def test_a_folder_of_empty_classes_is_an_empty_source(tmp_path: Path) -> None:
    """The message says how to allow it."""
    (tmp_path / "b" / "red").mkdir(parents=True)
    with pytest.raises(DataError, match="optional: true"):
        _list(tmp_path, SourceConfig(folder=str(tmp_path / "b")))
