"""Folders that publishing takes for an artifact, without a network in them."""

from pathlib import Path

from pictor_contract import ImageContract, PictureInput
from pictor_contract.artifact import CONTRACT_FILE, write_manifest
from pictor_store.places import Place


def make_artifact(folder: Path, name: str = "pets", weight_bytes: int = 10) -> Path:
    """Make one: a contract, a graph and weights of that many bytes, and their manifest."""
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.data").write_bytes(bytes(weight_bytes))
    (folder / "saved_model.pb").write_bytes(b"graph")
    contract = ImageContract(
        name=name, labels=("cat", "dog"), head="multiclass", input=PictureInput(height=8, width=8)
    )
    (folder / CONTRACT_FILE).parent.mkdir()
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    write_manifest(folder)
    return folder


def copy_by_hand(artifact: Path, place: Place, version: int, name: str = "pets") -> None:
    """Copy it to a version's place as a person would: file by file, and telling nobody."""
    for path in artifact.rglob("*"):
        if path.is_file():
            place.upload(path, f"{name}/{version}/{path.relative_to(artifact).as_posix()}")
