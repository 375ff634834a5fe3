"""Publishing: the number, the copy, the event, and every reason to refuse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts import make_artifact
from bucket import BucketFileSystem
from pictor_contract.artifact import CONTRACT_FILE, list_versions, verify_manifest
from pictor_store.errors import ChangeRefused, StoreError, StoreLocked, VersionDamaged
from pictor_store.models.store import StoredModel, open_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the model's folder will be."""
    return tmp_path / "models" / "pets"


@pytest.fixture
def model(folder: Path) -> StoredModel:
    """Return a model without versions in a store that is not there yet."""
    return open_store(folder.parent).model("pets")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_versions_are_numbered_from_1_and_hold_the_artifact(
    artifact: Path, model: StoredModel, folder: Path
) -> None:
    """Each publication is a whole copy of its own."""
    assert [1, 2, 3] == [model.publish(artifact) for _ in range(3)]
    assert [1, 2, 3] == model.versions() == list_versions(folder)
    for version in (1, 2, 3):
        verify_manifest(folder / str(version))


def test_a_publication_is_an_event_and_moves_no_label(artifact: Path, model: StoredModel) -> None:
    """Who published, and why, is known later."""
    model.publish(artifact)
    model.record("promoted", 1, {"stable": 1})
    model.publish(artifact, reason="more pictures", by="retrain")
    event = model.history()[-1]

    assert (3, "published", 2, "more pictures", "retrain") == (
        event.sequence,
        event.action,
        event.version,
        event.reason,
        event.by,
    )
    assert {"stable": 1} == event.labels == model.labels()
    assert (1, 2) == event.versions


def test_a_deleted_number_is_not_given_again(artifact: Path, model: StoredModel, folder: Path) -> None:
    """TensorFlow Serving ignores a version whose number it has seen before."""
    model.publish(artifact)
    model.publish(artifact)
    shutil.rmtree(folder / "2")

    assert 3 == model.publish(artifact)


@pytest.mark.parametrize("present", ["7", "007"])
def test_numbers_that_were_put_there_by_hand_count(
    artifact: Path, model: StoredModel, folder: Path, present: str
) -> None:
    """Also with leading zeros: TensorFlow Serving takes both names for version 7."""
    (folder / present).mkdir(parents=True)

    assert 8 == model.publish(artifact)
    assert [8] == model.versions()


@pytest.mark.parametrize("garbage", [b"", b"three", b"-1", b"4\n5", "²".encode(), b"\xff"])
def test_an_unreadable_record_of_the_last_number_is_an_error(
    artifact: Path, model: StoredModel, folder: Path, garbage: bytes
) -> None:
    """Going by what is present could give a number twice; the message says how to mend it."""
    model.publish(artifact)
    (folder / ".last_version").write_bytes(garbage)

    with pytest.raises(
        StoreError, match=r"\.last_version must hold the highest version number .* Write that"
    ):
        model.publish(artifact)
    assert [1] == model.versions()


def test_a_lost_record_of_the_last_number_is_mended_from_the_history(
    artifact: Path, model: StoredModel, folder: Path
) -> None:
    """A copy of a store by `cp store/*` leaves it behind; the events tell what was given."""
    for _ in range(3):
        model.publish(artifact)
    model.remove(3)
    (folder / ".last_version").unlink()

    assert 4 == model.publish(artifact)


def test_what_killed_publishers_left_is_removed(artifact: Path, model: StoredModel, folder: Path) -> None:
    """Their half copies would fill the disk."""
    (folder / ".staging-of-the-dead" / "variables").mkdir(parents=True)
    (folder / ".removed-by-the-dead" / "variables").mkdir(parents=True)
    (folder / ".0123.partial").write_bytes(b"half")
    model.publish(artifact)
    assert [".history", ".last_version", ".lock", "1"] == _names(folder)

    (folder / ".history" / ".4567.partial").write_bytes(b"half")
    model.recover()
    assert ["00000001.json"] == _names(folder / ".history")


def test_a_lock_that_is_held_too_long_is_said_so(artifact: Path, model: StoredModel, folder: Path) -> None:
    """Nothing is copied meanwhile."""
    folder.mkdir(parents=True)
    with (
        open_store(folder.parent).model("pets").lock(),
        pytest.raises(StoreLocked, match=r"Another process has held .*\.lock for 0\.01 s"),
    ):
        model.publish(artifact, wait_s=0.01)
    assert [".lock"] == _names(folder)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "ü", "x" * 65])
def test_a_name_that_is_no_safe_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(StoreError, match="A model's name must be"):
        open_store(tmp_path).model(name)


def test_an_artifact_of_another_model_is_refused(tmp_path: Path, model: StoredModel, folder: Path) -> None:
    """Its contract would tell callers a name that is not the one they asked for."""
    cars = make_artifact(tmp_path / "cars", "cars")
    with pytest.raises(ChangeRefused, match="tells callers the name 'cars'; received 'pets'"):
        model.publish(cars)
    assert not folder.parent.exists()


def test_a_changed_artifact_is_refused(artifact: Path, model: StoredModel, folder: Path) -> None:
    """What was proved at export is not what would be published."""
    (artifact / "variables" / "variables.data").write_bytes(b"other")

    with pytest.raises(VersionDamaged, match=r"not what was exported.*variables\.data.*Export it again"):
        model.publish(artifact)
    assert not folder.parent.exists()


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path, model: StoredModel) -> None:
    """There is no manifest."""
    with pytest.raises(VersionDamaged, match="Export it again"):
        model.publish(tmp_path)


def test_a_store_that_cannot_be_written_is_said_so(artifact: Path, tmp_path: Path) -> None:
    """Here a file is where the store should be."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match=r"file/pets cannot be changed: .* allow writing"):
        open_store(tmp_path / "file").model("pets").publish(artifact)


def test_a_history_that_cannot_be_read_stops_publishing_before_the_copy(
    artifact: Path, model: StoredModel, folder: Path
) -> None:
    """Its labels would be lost with the next event."""
    model.publish(artifact)
    (folder / ".history" / "00000002.json").write_bytes(b"torn {")

    with pytest.raises(StoreError, match=r"00000002\.json cannot be read as an event"):
        model.publish(artifact)
    assert [1] == model.versions()


def test_a_full_disk_leaves_no_version_and_no_half_copy(
    tmp_path: Path, model: StoredModel, folder: Path
) -> None:
    """The kernel refuses to write on, as a full disk does; afterwards publishing works again."""
    artifact = make_artifact(tmp_path / "large", weight_bytes=4_000_000)
    model.publish(artifact)
    code = (
        "import resource, sys; from pathlib import Path; from pictor_store.models.store import open_store\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "open_store(sys.argv[1]).model('pets').publish(Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(folder.parent), str(artifact)]
    full = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 1 == full.returncode
    assert "StoreError" in full.stderr
    assert "Free space there" in full.stderr
    assert [".history", ".last_version", ".lock", "1"] == _names(folder)
    assert 2 == model.publish(artifact)


def test_a_disk_that_is_full_when_the_version_is_there_costs_only_the_event(
    artifact: Path, model: StoredModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To say that it failed would publish it twice; the next change records it."""
    model.publish(artifact)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "link", full)
        assert 2 == model.publish(artifact)
    assert ["not recorded yet"] == caplog.messages
    assert [("found", 2)] == [(event.action, event.version) for event in model.recover()]
    assert {"published": 1, "found": 2} == {event.action: event.version for event in model.history()}


def test_files_are_readable_by_others(artifact: Path, model: StoredModel, folder: Path) -> None:
    """The server runs as another user: the umask decides, not the artifact's own permissions."""
    (artifact / CONTRACT_FILE).chmod(0o600)
    previous = os.umask(0o022)
    try:
        model.publish(artifact)
    finally:
        os.umask(previous)

    modes = {
        path: (folder / path).stat().st_mode & 0o777
        for path in ("1", ".history", f"1/{CONTRACT_FILE}", ".history/00000001.json")
    }
    assert [0o755, 0o755, 0o644, 0o644] == list(modes.values())


def test_the_number_is_announced_before_the_version_appears(
    artifact: Path, model: StoredModel, folder: Path
) -> None:
    """Whoever is killed in between has noted it down."""
    seen: list[tuple[int, bool]] = []
    model.publish(artifact, announce=lambda number: seen.append((number, (folder / str(number)).exists())))

    assert [(1, False)] == seen


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_an_announcement_that_fails_publishes_nothing(
    place: str, artifact: Path, tmp_path: Path, bucket: type[BucketFileSystem]
) -> None:
    """Its number is not given again, whoever has noted it."""
    model = open_store(tmp_path / "models" if place == "folder" else "bucket://models").model("pets")

    def fail(number: int) -> None:
        raise RuntimeError(number)

    with pytest.raises(RuntimeError):
        model.publish(artifact, announce=fail)
    assert [] == model.versions()
    assert 2 == model.publish(artifact)


def test_links_in_an_artifact_are_published_as_what_they_name(
    artifact: Path, model: StoredModel, folder: Path, tmp_path: Path
) -> None:
    """A version must not change with a file elsewhere."""
    weights = artifact / "variables" / "variables.data"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    model.publish(artifact)

    assert not (folder / "1" / "variables" / "variables.data").is_symlink()
    model.verify(1)


def test_publishing_needs_no_tensorflow_and_no_object_storage() -> None:
    """A publisher starts fast and small, wherever it runs."""
    code = (
        "import sys, pictor_store.models.store; print({'tensorflow', 'keras', 'fsspec'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()\n" == loaded.stdout
