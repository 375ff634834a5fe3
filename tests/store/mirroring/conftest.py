"""A store in object storage, and mirrors of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bucket import BucketFileSystem
from mirrored import KEEP_S, Clock, publish
from pictor_store.changes import promote
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.servers import Servers


@pytest.fixture
def clock() -> Clock:
    """Make one."""
    return Clock()


@pytest.fixture
def source(bucket: type[BucketFileSystem]) -> ModelStore:
    """Open an empty store in object storage."""
    return open_store("bucket://models")


@pytest.fixture
def model(source: ModelStore, artifact: Path) -> StoredModel:
    """Publish three versions that differ; the second is stable, the first was before."""
    model = source.model("pets")
    for number in (1, 2, 3):
        publish(model, artifact, str(number))
    promote(model, 1)
    promote(model, 2)
    return model


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Name the folder."""
    return tmp_path / "mirror"


@pytest.fixture
def make_mirror(source: ModelStore, into: Path, clock: Clock) -> Callable[..., Mirror]:
    """Make a mirror as another process would: `make_mirror(only=("pets",), max_bytes=...)`."""

    def make(
        servers: Servers | None = None, max_bytes: int | None = None, only: tuple[str, ...] = ()
    ) -> Mirror:
        return Mirror(source, MirrorFolder(into, max_bytes), servers or Servers(), only, KEEP_S, clock)

    return make
