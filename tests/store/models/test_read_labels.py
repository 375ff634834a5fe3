"""How the gateway learns the labels: it asks a folder every few seconds, whatever became of it."""

from pathlib import Path
from typing import Any

import pytest

from pictor_store.errors import StoreError
from pictor_store.models.history import Event, read_labels
from pictor_store.models.store import open_store


@pytest.fixture
def folder(tmp_path: Path, artifact: Path) -> Path:
    """Return the folder of a model whose first version is stable."""
    model = open_store(tmp_path / "models").model("pets")
    model.publish(artifact)
    model.record("promoted", 1, {"stable": 1})
    return tmp_path / "models" / "pets"


def test_the_gateway_reads_labels_from_a_folder(folder: Path, tmp_path: Path) -> None:
    """None where there is no history; the rest of the folder does not matter."""
    assert {"stable": 1} == read_labels(folder)
    (tmp_path / "bare" / "1").mkdir(parents=True)
    assert {} == read_labels(tmp_path / "bare")
    (tmp_path / "bare" / ".history").mkdir()
    assert {} == read_labels(tmp_path / "bare")


def test_a_folder_that_is_gone_is_no_folder_without_labels(folder: Path) -> None:
    """A mount that is lost must not let the newest version take over from stable."""
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(StoreError, match="The labels of pets cannot be read"):
        read_labels(folder)


def test_labels_cost_one_listing_and_one_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the history is: the gateway asks every few seconds."""
    for sequence in range(3, 2000):
        (folder / ".history" / f"{sequence:08d}.json").write_bytes(b"never read")
    last = Event(2000, "2026-01-01T00:00:00Z", "labelled", 1, {"stable": 1, "canary": 1})
    (folder / ".history" / "00002000.json").write_bytes(last.written())
    opened: list[str] = []
    real = Path.open

    def note(path: Path, *how: Any, **more: Any) -> Any:
        opened.append(path.name)
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", note)
    assert {"stable": 1, "canary": 1} == read_labels(folder)
    assert ["00002000.json"] == opened
    opened.clear()
    assert {"stable": 1, "canary": 1} == open_store(folder.parent).model("pets").labels()
    assert ["00002000.json"] == [name for name in opened if name.endswith(".json")]


@pytest.mark.parametrize("wrong", ["link", "link to nothing", "file"])
def test_a_reader_is_told_of_trouble(tmp_path: Path, wrong: str) -> None:
    """A history that is no folder is an error, not a model without labels."""
    folder = tmp_path / "pets"
    folder.mkdir()
    if wrong == "link":
        (folder / ".history").symlink_to(folder / ".history")
    elif wrong == "link to nothing":
        (folder / ".history").symlink_to(tmp_path / "not mounted")
    else:
        (folder / ".history").write_text("in the way")
    with pytest.raises(StoreError, match="The labels of pets cannot be read"):
        read_labels(folder)
