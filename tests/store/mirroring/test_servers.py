"""What becomes of a server, and of the file it begins with, when it does not follow."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mirrored import passed
from pictor_store.changes import promote, rollback
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

Start = Callable[..., StandIn]


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel]) -> StoredModel:
    """Store two versions; the first is stable."""
    model = stored_colours(2)
    promote(model, 1)
    return model


@pytest.fixture
def file(into: Path) -> Path:
    """Name the file."""
    return into / "models.config"


@pytest.fixture
def server(model: StoredModel, into: Path, file: Path, tfs: Start) -> StandIn:
    """Mirror, as before a server begins; then begin it."""
    assert () == passed(Mirror(open_store(model.place.where), MirrorFolder(into), Servers(config_file=file)))
    return tfs(versions=(), config_file=file, labels_anywhere=True)


@pytest.fixture
def mirror(server: StandIn, model: StoredModel, into: Path, file: Path) -> Mirror:
    """Make the server's mirror."""
    servers = Servers(server.address, file, timeout_s=20)
    return Mirror(open_store(model.place.where), MirrorFolder(into), servers)


def test_a_server_that_cannot_prove_a_version_goes_on_with_the_last(
    model: StoredModel, mirror: Mirror, server: StandIn, file: Path
) -> None:
    """Restarted, it begins with that one again; when the version is right, it follows."""
    before = file.read_bytes()
    server.faults.spoil("nan", version=2)
    promote(model, 2)
    (trouble,) = passed(mirror)
    assert "says colours/2 is available, but" in trouble
    assert before == file.read_bytes()
    assert {"stable": 1} == server.library.labels("colours")

    server.stop()
    server.start()
    assert {"stable": 1} == server.library.labels("colours")
    assert {1} == server.available()
    server.faults.heal()
    assert () == passed(mirror)
    assert {"stable": 2} == server.library.labels("colours")


def test_a_server_that_is_not_there_begins_with_what_holds_now(
    model: StoredModel, mirror: Mirror, server: StandIn
) -> None:
    """A version may be why it ends: a rollback has to reach the file of a server that begins in vain."""
    promote(model, 2)
    assert () == passed(mirror)
    server.stop()
    rollback(model)
    (trouble,) = passed(mirror)
    assert "UNAVAILABLE" in trouble
    server.start()

    assert {"stable": 1} == server.library.labels("colours")
    assert () == passed(mirror)


def test_servers_without_a_file_are_told_all_the_same(
    model: StoredModel, server: StandIn, into: Path
) -> None:
    """By calls alone; what hinders that is said."""
    mirror = Mirror(open_store(model.place.where), MirrorFolder(into), Servers(server.address, timeout_s=20))
    promote(model, 2)
    assert () == passed(mirror)
    assert {"stable": 2} == server.library.labels("colours")
    server.stop()
    rollback(model)
    assert "UNAVAILABLE" in passed(mirror)[0]
