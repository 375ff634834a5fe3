"""What may become a version: an artifact that is as it was exported, under its own name."""

from pathlib import Path

from pictor_contract import ContractError
from pictor_contract.artifact import read_contract, verify_manifest
from pictor_store.errors import ChangeRefused, VersionDamaged


def check_artifact(artifact: Path, name: str) -> None:
    """Refuse what must not be published as `name`; the store is not touched.

    Raises:
        VersionDamaged: the artifact is not what was exported.
        ChangeRefused: it is another model's.
    """
    try:
        verify_manifest(artifact)
        contract = read_contract(artifact)
    except ContractError as error:
        raise VersionDamaged(f"The artifact is not what was exported. {error} Export it again.") from error
    if contract.name != name:
        raise ChangeRefused(
            f"The artifact's contract tells callers the name {contract.name!r}; received {name!r}. "
            "Publish it under its own name."
        )
