"""A store whose history says which of its versions answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pictor_store.changes import promote
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store


@pytest.fixture
def model(store: Path, publish: Callable[..., Path]) -> StoredModel:
    """Give the store's model with versions 1 to 3, of which 1 is stable."""
    for version in (2, 3):
        publish("colours", version)
    model = open_store(store).model("colours")
    promote(model, 1)
    return model
