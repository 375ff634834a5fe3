"""Stores of each kind, with a model in them."""

from pathlib import Path

import pytest

from bucket import BucketFileSystem
from pictor_store.models.store import StoredModel, open_store


@pytest.fixture(params=["folder", "bucket"])
def where(request: pytest.FixtureRequest, tmp_path: Path, bucket: type[BucketFileSystem]) -> str | Path:
    """Return a store of each kind."""
    return tmp_path / "models" if request.param == "folder" else "bucket://models"


@pytest.fixture
def model(where: str | Path, artifact: Path) -> StoredModel:
    """Return a model with three versions, the first of them stable."""
    model = open_store(where).model("pets")
    for _ in range(3):
        model.publish(artifact)
    model.record("promoted", 1, {"stable": 1})
    return model
