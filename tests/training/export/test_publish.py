"""Publishing: the number, the copy, and every reason to refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from pictor_contract.artifact import CONTRACT_FILE, list_versions, verify_manifest
from pictor_training.errors import PublishError
from pictor_training.export.publish import check_store, publish, publish_once

NAME = "pets"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store will be."""
    return tmp_path / "models"


def test_versions_are_numbered_from_1_and_hold_the_artifact(stand_in: Path, store: Path) -> None:
    """Each publication is a whole copy of its own."""
    assert [publish(stand_in, store, NAME) for _ in range(3)] == [1, 2, 3]
    assert list_versions(store / NAME) == [1, 2, 3]
    for version in (1, 2, 3):
        verify_manifest(store / NAME / str(version))


def test_a_deleted_number_is_not_given_again(stand_in: Path, store: Path) -> None:
    """TensorFlow Serving ignores a version whose number it has seen before."""
    publish(stand_in, store, NAME)
    publish(stand_in, store, NAME)
    (store / NAME / "2").rename(store / "gone")

    assert publish(stand_in, store, NAME) == 3


@pytest.mark.parametrize("present", ["7", "007"])
def test_numbers_that_were_put_there_by_hand_count(stand_in: Path, store: Path, present: str) -> None:
    """Also with leading zeros: TensorFlow Serving takes both names for version 7."""
    (store / NAME / present).mkdir(parents=True)

    assert publish(stand_in, store, NAME) == 8


@pytest.mark.parametrize("garbage", ["", "three", "-1", "4\n5", "²"])
def test_an_unreadable_record_of_the_last_number_is_an_error(
    stand_in: Path, store: Path, garbage: str
) -> None:
    """Going by what is present could give a number twice; the message says how to mend it."""
    publish(stand_in, store, NAME)
    (store / NAME / ".last_version").write_text(garbage)

    with pytest.raises(
        PublishError, match=r"\.last_version must hold the highest version number .* Write that"
    ):
        publish(stand_in, store, NAME)
    assert list_versions(store / NAME) == [1]


def test_what_killed_publishers_left_is_removed(stand_in: Path, store: Path) -> None:
    """Their half copies would fill the disk."""
    (store / NAME / ".staging-of-the-dead" / "variables").mkdir(parents=True)
    publish(stand_in, store, NAME)

    assert sorted(path.name for path in (store / NAME).iterdir()) == [".last_version", ".lock", "1"]


def test_a_lock_that_is_held_too_long_is_said_so(stand_in: Path, store: Path) -> None:
    """Nothing is copied meanwhile."""
    (store / NAME).mkdir(parents=True)
    with (
        FileLock(store / NAME / ".lock"),
        pytest.raises(PublishError, match=r"Another publisher has held .*\.lock for 0\.01 s"),
    ):
        publish(stand_in, store, NAME, lock_timeout_s=0.01)
    assert list_versions(store / NAME) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "ü", "x" * 65])
def test_a_name_that_is_no_safe_folder_is_refused(stand_in: Path, store: Path, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(PublishError, match="A model's name must be"):
        publish(stand_in, store, name)
    assert not store.exists()


def test_an_artifact_of_another_model_is_refused(stand_in: Path, store: Path) -> None:
    """Its contract would tell callers a name that is not the one they asked for."""
    with pytest.raises(PublishError, match="tells callers the name 'pets'; received 'cars'"):
        publish(stand_in, store, "cars")
    assert not store.exists()


def test_a_changed_artifact_is_refused(stand_in: Path, store: Path) -> None:
    """What was proved at export is not what would be published."""
    (stand_in / "variables" / "variables.data").write_bytes(b"other")

    with pytest.raises(PublishError, match=r"not what was exported.*variables\.data"):
        publish(stand_in, store, NAME)
    assert not store.exists()


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path, store: Path) -> None:
    """There is no manifest."""
    with pytest.raises(PublishError, match="Export it again"):
        publish(tmp_path, store, NAME)


def test_a_store_that_cannot_be_written_is_said_so(stand_in: Path, tmp_path: Path) -> None:
    """Here a file is where the store should be."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(PublishError, match=r"file cannot take the version: .* allow writing"):
        publish(stand_in, tmp_path / "file", NAME)


def test_a_full_disk_leaves_no_version_and_no_half_copy(stand_in: Path, store: Path) -> None:
    """The kernel refuses to write on, as a full disk does; afterwards publishing works again."""
    publish(stand_in, store, NAME)
    code = (
        "import resource, sys; from pathlib import Path; from pictor_training.export.publish import publish\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", code, str(stand_in), str(store), NAME]
    full = subprocess.run(command, capture_output=True, text=True, check=False)

    assert full.returncode == 1
    assert "PublishError" in full.stderr
    assert "Free space there" in full.stderr
    assert sorted(path.name for path in (store / NAME).iterdir()) == [".last_version", ".lock", "1"]
    assert publish(stand_in, store, NAME) == 2


def test_publishing_needs_no_tensorflow() -> None:
    """A publisher starts fast and small, wherever it runs."""
    code = "import sys, pictor_training.export.publish; print({'tensorflow', 'keras'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout == "set()\n"


def test_files_are_readable_by_others(stand_in: Path, store: Path) -> None:
    """The server runs as another user: the umask decides, not the artifact's own permissions."""
    (stand_in / CONTRACT_FILE).chmod(0o600)
    previous = os.umask(0o022)
    try:
        publish(stand_in, store, NAME)
    finally:
        os.umask(previous)

    assert (store / NAME / "1").stat().st_mode & 0o777 == 0o755
    assert (store / NAME / "1" / CONTRACT_FILE).stat().st_mode & 0o777 == 0o644


def test_the_number_is_announced_before_the_version_appears(stand_in: Path, store: Path) -> None:
    """Whoever is killed in between has noted it down."""
    seen: list[tuple[int, bool]] = []
    publish(
        stand_in, store, NAME, announce=lambda number: seen.append((number, (store / NAME / "1").exists()))
    )

    assert seen == [(1, False)]


def test_publishing_once_gives_one_version_however_often_it_is_called(stand_in: Path, store: Path) -> None:
    """A run that was killed after its version appeared must not make a second one."""
    record = store.parent / "published.json"

    assert [publish_once(stand_in, store, NAME, record) for _ in range(3)] == [1, 1, 1]
    assert list_versions(store / NAME) == [1]
    assert json.loads(record.read_text()) == {"store": str(store), "name": NAME, "version": 1}


def test_publishing_once_goes_on_after_a_kill_just_before_the_version_appeared(
    stand_in: Path, store: Path
) -> None:
    """The number was noted, but nobody has ever seen it: the next one is taken."""
    record = store.parent / "published.json"
    publish_once(stand_in, store, NAME, record)
    (store / NAME / "1").rename(store.parent / "never there")

    assert publish_once(stand_in, store, NAME, record) == 2


@pytest.mark.parametrize("wrong", ["/dev/null", "/dev/null/below", "a" * 300])
def test_a_store_that_cannot_be_one_is_refused_beforehand(wrong: str) -> None:
    """Nobody should learn it after hours of training."""
    with pytest.raises(PublishError, match=r"cannot be a store.*Say --models"):
        check_store(Path(wrong), NAME)


def test_a_store_that_is_not_there_yet_is_accepted_and_not_made(store: Path) -> None:
    """It appears with its first version."""
    check_store(store, NAME)

    assert not store.exists()
