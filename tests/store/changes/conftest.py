"""The model that most roll-outs begin with."""

from collections.abc import Callable

import pytest

from pictor_store.models.model import StoredModel


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel]) -> StoredModel:
    """Store three versions."""
    return stored_colours(3)
