"""The folder of one version: complete, unchanged, or refused."""

from hashlib import sha256
from pathlib import Path

import pytest

from pictor_contract import ArtifactError, ImageContract, InvalidContract, PictureInput
from pictor_contract.artifact import (
    CONTRACT_FILE,
    MANIFEST_FILE,
    list_models,
    list_versions,
    read_contract,
    verify_manifest,
    write_manifest,
)

CONTRACT = ImageContract("m", ("a", "b"), "multiclass", PictureInput(8, 8))


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """Return a complete, tiny version."""
    folder = tmp_path / "m" / "1"
    for name, content in {
        "saved_model.pb": b"graph",
        "variables/variables.index": b"index",
        CONTRACT_FILE: CONTRACT.to_json().encode(),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_manifest(folder)
    return folder


def test_what_was_written_is_verified(version: Path) -> None:
    """A folder nobody touched passes, and its contract is read."""
    verify_manifest(version)
    assert CONTRACT == read_contract(version)


def test_the_manifest_is_what_sha256sum_writes_and_checks(version: Path) -> None:
    """Digest, two spaces, name; sorted; itself left out. `sha256sum -c` does the same without us."""
    lines = (version / MANIFEST_FILE).read_text(encoding="utf-8").splitlines()
    assert [CONTRACT_FILE, "saved_model.pb", "variables/variables.index"] == [line[66:] for line in lines]
    assert f"{sha256(b'graph').hexdigest()}  saved_model.pb" == lines[1]


def test_a_manifest_written_again_is_the_same(version: Path) -> None:
    """It does not list itself."""
    before = (version / MANIFEST_FILE).read_bytes()
    write_manifest(version)
    assert before == (version / MANIFEST_FILE).read_bytes()


def test_a_changed_file_is_refused_by_name(version: Path) -> None:
    """One byte is enough, even at equal length."""
    (version / "saved_model.pb").write_bytes(b"grapH")
    with pytest.raises(ArtifactError, match=r"saved_model\.pb is not the file that was published"):
        verify_manifest(version)


def test_a_missing_file_is_refused_by_name(version: Path) -> None:
    """Also where the whole folder went."""
    (version / "variables" / "variables.index").unlink()
    (version / "variables").rmdir()
    with pytest.raises(ArtifactError, match=r"not there: variables/variables\.index"):
        verify_manifest(version)


def test_an_extra_file_is_refused_by_name(version: Path) -> None:
    """TensorFlow Serving would read it."""
    (version / "variables" / "more").write_bytes(b"")
    with pytest.raises(ArtifactError, match="does not name: variables/more"):
        verify_manifest(version)


def test_a_version_without_manifest_is_refused(version: Path) -> None:
    """Nothing proves it."""
    (version / MANIFEST_FILE).unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        verify_manifest(version)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"no digest at all\n", b"abc  saved_model.pb\n", b"\n", b"a" * 64 + b" one-space\n"],
)
def test_a_manifest_that_cannot_be_read_is_refused(content: bytes, version: Path) -> None:
    """Not text, or a line that is no digest and name."""
    (version / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(ArtifactError, match="MANIFEST"):
        verify_manifest(version)


def test_a_manifest_cannot_vouch_for_files_outside_its_folder(version: Path) -> None:
    """A name that climbs out is a file that is not there."""
    (version.parent / "secret").write_bytes(b"")
    with (version / MANIFEST_FILE).open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  ../secret\n")
    with pytest.raises(ArtifactError, match=r"not there: \.\./secret"):
        verify_manifest(version)


def test_a_folder_without_contract_is_refused(tmp_path: Path) -> None:
    """Said as a fault of the folder; unreadable content is one of the contract."""
    with pytest.raises(ArtifactError, match="No such file"):
        read_contract(tmp_path)
    (tmp_path / CONTRACT_FILE).parent.mkdir()
    (tmp_path / CONTRACT_FILE).write_bytes(b"{}")
    with pytest.raises(InvalidContract, match="schema_version"):
        read_contract(tmp_path)


def test_versions_are_folders_named_by_plain_numbers(tmp_path: Path) -> None:
    """Rising by number, not by letter; staging folders, locks and odd spellings are none."""
    for name in ("10", "9", "007", "1.tmp", "-1", "٣", "latest"):
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_bytes(b"a file")
    assert [9, 10] == list_versions(tmp_path)
    assert [] == list_versions(tmp_path / "missing")


def test_models_are_folders_with_at_least_one_version(version: Path, tmp_path: Path) -> None:
    """An empty folder is no model."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    assert ["m"] == list_models(tmp_path)
    assert [] == list_models(version / "missing")
