"""Models and versions as they are found: whole ones, foreign ones, removed ones, and from afar."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import copy_by_hand, make_artifact
from bucket import BucketFileSystem
from pictor_contract.artifact import CONTRACT_FILE, MANIFEST_FILE, verify_manifest
from pictor_store.errors import ChangeRefused, StoreError, VersionDamaged, VersionMissing
from pictor_store.models.store import StoredModel, open_store


@pytest.fixture
def folder(tmp_path: Path, artifact: Path) -> Path:
    """Return the folder of a model with two versions."""
    model = open_store(tmp_path / "models").model("pets")
    model.publish(artifact)
    model.publish(artifact)
    return tmp_path / "models" / "pets"


def test_models_are_those_with_versions(model: StoredModel, where: str | Path, tmp_path: Path) -> None:
    """Names that no model can have are not models, nor is a model all of whose versions are gone."""
    store = open_store(where)
    store.model("cars").publish(make_artifact(tmp_path / "cars", "cars"))
    for name in ("not a name/1/x", "lost+found/1", ".hidden/1/x", "empty/readme", "half/1/saved_model.pb"):
        model.place.write(name, b"")

    assert ["cars", "pets"] == store.names()
    assert str(where) == store.where


def test_a_store_that_is_not_there_has_no_models(where: str | Path) -> None:
    """And is not made by looking."""
    assert [] == open_store(where).names()
    assert [] == open_store(where).model("pets").versions()


def test_versions_are_numbers_with_a_manifest(model: StoredModel) -> None:
    """Leading zeros, other digits, files and half copies are none."""
    for name in ("007/x", "²/x", ".staging-1/x", "9", "10/saved_model.pb", "-1/x"):
        model.place.write(f"pets/{name}", b"")

    assert [1, 2, 3] == model.versions()


def test_a_version_can_be_a_link(folder: Path, tmp_path: Path) -> None:
    """To another disk; removing it takes the link away, and nothing else."""
    model = open_store(folder.parent).model("pets")
    shutil.move(folder / "2", tmp_path / "elsewhere")
    (folder / "2").symlink_to(tmp_path / "elsewhere")

    assert [1, 2] == model.versions()
    model.verify(2)
    model.remove(2)
    assert [1] == model.versions()
    verify_manifest(tmp_path / "elsewhere")


def test_a_link_to_nothing_is_no_version(folder: Path) -> None:
    """The disk it names is not mounted; its number is taken all the same."""
    (folder / "5").symlink_to(folder / "nowhere")
    model = open_store(folder.parent).model("pets")

    assert [1, 2] == model.versions()


def test_a_version_s_contract_is_read(model: StoredModel) -> None:
    """From afar, it is one file."""
    assert ("pets", ("cat", "dog")) == (model.contract(2).name, model.contract(2).labels)


def test_a_contract_that_cannot_be_read_is_damage(model: StoredModel) -> None:
    """The message says where."""
    model.place.write(f"pets/2/{CONTRACT_FILE}", b"torn {")
    with pytest.raises(VersionDamaged, match="contract"):
        model.contract(2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, tmp_path: model.contract(9),
        lambda model, tmp_path: model.verify(9),
        lambda model, tmp_path: model.fetch(9, tmp_path),
        lambda model, tmp_path: model.remove(9),
    ],
)
def test_a_version_that_is_not_there_is_told_with_those_that_are(
    model: StoredModel, tmp_path: Path, ask: Callable[[StoredModel, Path], object]
) -> None:
    """Nobody has to look them up."""
    with pytest.raises(VersionMissing, match=r"pets has no version 9\. There are: 1, 2, 3\."):
        ask(model, tmp_path)


def test_changing_a_model_that_is_not_there_makes_no_folder(where: str | Path) -> None:
    """A mistyped name, or a disk that is not mounted."""
    model = open_store(where).model("cars")
    for change in (lambda: model.remove(1), model.recover):
        with pytest.raises(VersionMissing, match="There is no model cars in"):
            change()
    assert [] == model.place.names()


def test_a_version_is_fetched_whole(model: StoredModel, tmp_path: Path) -> None:
    """A folder's own, or a copy that is made once."""
    fetched = model.fetch(2, tmp_path / "local")
    verify_manifest(fetched)
    if model.folder(2) is not None:
        assert model.folder(2) == fetched
        return
    assert tmp_path / "local" / "pets" / "2" == fetched
    written = (fetched / MANIFEST_FILE).stat()
    assert written == model.fetch(2, tmp_path / "local").joinpath(MANIFEST_FILE).stat()

    (fetched / "variables" / "variables.data").write_bytes(b"torn")
    verify_manifest(model.fetch(2, tmp_path / "local"))
    assert ["2"] == [path.name for path in (tmp_path / "local" / "pets").iterdir()]


def test_what_is_damaged_in_object_storage_is_not_fetched(
    artifact: Path, bucket: type[BucketFileSystem], tmp_path: Path
) -> None:
    """Nor are files whose names lead elsewhere."""
    model = open_store("bucket://models").model("pets")
    model.publish(artifact)
    model.place.write("pets/1/variables/variables.data", b"other")
    with pytest.raises(VersionDamaged, match=r"variables\.data is not the file that was published"):
        model.fetch(1, tmp_path / "local")
    model.publish(artifact)
    (bucket.folder / "models%2Fpets%2F2%2F..%2F..%2Fescaped").write_bytes(b"hostile")
    with pytest.raises(StoreError):
        model.fetch(2, tmp_path / "local")
    assert [] == list((tmp_path / "local" / "pets").iterdir())
    assert not (tmp_path / "local" / "escaped").exists()


def test_damage_is_found(model: StoredModel) -> None:
    """A file that is missing, too many or another."""
    model.verify(1)
    model.place.write("pets/1/variables/variables.data", b"other")
    model.place.write("pets/2/extra", b"")
    model.place.remove("pets/3/saved_model.pb")
    wrong = {1: "is not the file", 2: "does not name: extra", 3: r"not there: saved_model\.pb"}
    for version, said in wrong.items():
        with pytest.raises(VersionDamaged, match=said):
            model.verify(version)


def test_a_removed_version_is_gone_and_its_number_too(model: StoredModel, artifact: Path) -> None:
    """Also when it was the highest, copied in by hand, and never known to the history."""
    copy_by_hand(artifact, model.place, 9)
    model.remove(9)
    model.remove(3)
    model.record("pruned", 3)

    assert [1, 2] == model.versions()
    assert [] == model.place.names("pets/9")
    assert 10 == model.publish(artifact)


def test_a_version_with_a_label_is_not_removed(model: StoredModel) -> None:
    """Move the label first."""
    model.record("labelled", 1, {"stable": 1, "canary": 1})
    with pytest.raises(ChangeRefused, match=r"pets/1 is canary and stable\. Move the label"):
        model.remove(1)
    model.verify(1)


def test_reading_writes_nothing(model: StoredModel, tmp_path: Path) -> None:
    """So a store that is mounted read-only can be looked at: no lock, no folder, no time changes."""

    def state() -> list[tuple[str, int, int]]:
        below = tmp_path / ("models" if model.folder(1) else "bucket")
        return [
            (str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(below.rglob("*"))
        ]

    model.place.remove("pets/.lock")
    before = state()
    store = open_store(model.place.where)
    one = store.model("pets")
    assert ["pets"] == store.names()
    assert ([1, 2, 3], {"stable": 1}, 4) == (one.versions(), one.labels(), len(one.history()))
    one.contract(1)
    one.verify(1)
    one.fetch(1, tmp_path / "local")
    assert before == state()
