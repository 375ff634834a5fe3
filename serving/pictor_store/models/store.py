"""A store of models: their versions, labels and history, in a folder or in object storage."""

from pathlib import Path

from pictor_contract import is_model_name
from pictor_contract.contract import MODEL_NAME_RULE
from pictor_store.errors import StoreError
from pictor_store.models.model import LOCK_WAIT_S, StoredModel
from pictor_store.models.reported import reported
from pictor_store.places import Place, open_place

__all__ = ["LOCK_WAIT_S", "ModelStore", "StoredModel", "open_store"]


def open_store(where: str | Path) -> "ModelStore":
    """Return the store in a folder or at a URL such as "s3://bucket/models"; nothing is made or read yet.

    Raises:
        StoreError: the URL's scheme is unknown, or its driver is not installed.
    """
    return ModelStore(open_place(where))


class ModelStore:
    """Models in one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def place(self) -> Place:
        """Where the models are."""
        return self._place

    @property
    def where(self) -> str:
        """The folder or URL."""
        return self._place.where

    def names(self) -> list[str]:
        """Models that have at least one version, sorted. Names that no model can have are not models.

        Raises:
            StoreError: the store cannot be read.
        """
        with reported(f"{self.where} cannot be read"):
            names = [name for name in self._place.names() if is_model_name(name)]
        return [name for name in names if self._has_versions(name)]

    def model(self, name: str) -> StoredModel:
        """Return a model, which may have no versions yet.

        Raises:
            StoreError: no model can have that name.
        """
        if not is_model_name(name):
            raise StoreError(f"A model's name must be {MODEL_NAME_RULE}; received {name!r}.")
        return StoredModel(self._place, name)

    def _has_versions(self, name: str) -> bool:
        try:
            return bool(self.model(name).versions())
        except StoreError as error:
            if isinstance(error.__cause__, PermissionError):  # lost+found, on every fresh volume
                return False
            raise
