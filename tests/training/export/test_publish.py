"""Publishing as training does it: once per run, and in training's own errors; the rest is the store's."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts import make_artifact
from pictor_contract.artifact import list_versions, verify_manifest
from pictor_store.errors import StoreError
from pictor_training.errors import PublishError
from pictor_training.export.publish import check_store, publish, publish_once

NAME = "pets"


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Make a folder that publishing takes for an artifact."""
    return make_artifact(tmp_path / "stand-in")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store will be."""
    return tmp_path / "models"


def test_an_artifact_becomes_the_next_version(stand_in: Path, store: Path) -> None:
    """A whole copy of its own."""
    assert [1, 2] == [publish(stand_in, store, NAME) for _ in range(2)]
    verify_manifest(store / NAME / "2")


def test_what_the_store_refuses_is_a_publish_error(stand_in: Path, store: Path) -> None:
    """With the store's own words: they say what to do."""
    with pytest.raises(PublishError, match="A model's name must be"):
        publish(stand_in, store, "..")
    with pytest.raises(PublishError, match="tells callers the name 'pets'; received 'cars'") as raised:
        publish(stand_in, store, "cars")
    assert isinstance(raised.value.__cause__, StoreError)
    (stand_in / "extra").write_bytes(b"")
    with pytest.raises(PublishError, match=r"not what was exported.*extra.*Export it again"):
        publish(stand_in, store, NAME)
    assert not store.exists()


def test_publishing_needs_no_tensorflow() -> None:
    """A publisher starts fast and small, wherever it runs."""
    code = "import sys, pictor_training.export.publish; print({'tensorflow', 'keras'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()\n" == loaded.stdout


def test_publishing_once_gives_one_version_however_often_it_is_called(stand_in: Path, store: Path) -> None:
    """A run that was killed after its version appeared must not make a second one."""
    record = store.parent / "published.json"

    assert [1, 1, 1] == [publish_once(stand_in, store, NAME, record) for _ in range(3)]
    assert [1] == list_versions(store / NAME)
    assert {"store": str(store), "name": NAME, "version": 1} == json.loads(record.read_text())


def test_publishing_once_goes_on_after_a_kill_just_before_the_version_appeared(
    stand_in: Path, store: Path
) -> None:
    """The number was noted, but nobody has ever seen it: the next one is taken."""
    record = store.parent / "published.json"
    publish_once(stand_in, store, NAME, record)
    shutil.rmtree(store / NAME / "1")

    assert 2 == publish_once(stand_in, store, NAME, record)


def test_publishing_once_works_with_object_storage(stand_in: Path, tmp_path: Path) -> None:
    """Where to is noted as it was said."""
    record, store = tmp_path / "published.json", f"memory://{tmp_path.name}"

    assert [1, 1] == [publish_once(stand_in, store, NAME, record) for _ in range(2)]
    assert {"store": store, "name": NAME, "version": 1} == json.loads(record.read_text())


@pytest.mark.parametrize("wrong", ["/dev/null", "/dev/null/below", "a" * 300])
def test_a_store_that_cannot_be_one_is_refused_beforehand(wrong: str) -> None:
    """Nobody should learn it after hours of training."""
    with pytest.raises(PublishError, match=r"cannot be a store.*Say --models"):
        check_store(Path(wrong), NAME)


def test_object_storage_without_its_driver_is_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the package."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(PublishError, match=r"cannot be a store.*s3fs"):
        check_store("s3://bucket/models", NAME)


def test_a_store_that_is_not_there_yet_is_accepted_and_not_made(store: Path, tmp_path: Path) -> None:
    """It appears with its first version."""
    check_store(store, NAME)
    check_store(f"memory://{tmp_path.name}", NAME)

    assert not store.exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"store": 1, "name": "pets", "version": 1}', "\udcff"], ids=range(5)
)
def test_a_damaged_note_of_what_was_published_is_an_error(
    stand_in: Path, store: Path, tmp_path: Path, text: str
) -> None:
    """A second version is not published because nobody can read whether there is one."""
    record = tmp_path / "published.json"
    record.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PublishError, match=r"published\.json cannot be read: .*remove it"):
        publish_once(stand_in, store, NAME, record)
    assert not store.exists()
