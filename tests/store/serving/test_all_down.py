"""The way back where the stable version itself keeps every server from starting: nobody can be told."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pictor_store.changes import promote
from pictor_store.cli.models import models
from pictor_store.errors import StoreError
from pictor_store.models.model import StoredModel
from pictor_store.serving.servers import Servers
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

_NOBODY = "dns:///pictor-tf-serving:8500"


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel]) -> StoredModel:
    """Store three versions, of which the second is stable."""
    stored = stored_colours(3)
    promote(stored, 1)
    promote(stored, 2)
    return stored


@pytest.fixture
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DNS say what it says in a cluster where no server is ready."""

    def resolve(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "as the test wants it")

    monkeypatch.setattr("pictor_store.serving.servers.socket.getaddrinfo", resolve)


def rollback(model: StoredModel, file: Path, *more: str) -> Result:
    """Type the command."""
    where = ["--store", model.place.where, "--models-config", str(file)]
    return CliRunner().invoke(models, ["rollback", model.name, *where, *more])


@pytest.mark.usefixtures("no_address")
def test_the_refusal_says_what_to_do(model: StoredModel, tmp_path: Path) -> None:
    """Silence may also be a moment; so the way back without servers is a person's decision."""
    file = tmp_path / "models.config"
    refused = rollback(model, file, "--tfs", _NOBODY)

    assert 1 == refused.exit_code
    assert f"run it without --tfs, with --models-config {file} alone, and restart" in refused.stderr
    assert {"stable": 2} == model.labels()
    assert not file.exists()


def test_without_addresses_it_is_done_and_restarted_servers_begin_with_the_file(
    model: StoredModel, tmp_path: Path, tfs: Callable[..., StandIn]
) -> None:
    """What still runs keeps what it has, polling or not: the command warns of that."""
    file = tmp_path / "models.config"
    promote(model, 2, servers=Servers(config_file=file))
    server = tfs(versions=(), config_file=file, labels_anywhere=True)
    assert {"stable": 2} == server.library.labels("colours")
    done = rollback(model, file)

    assert (0, {"stable": 1}) == (done.exit_code, model.labels()), done.output
    assert "until it is restarted" in done.stderr
    assert {"stable": 2} == server.library.labels("colours")
    server.stop()
    server.start()
    assert ({"stable": 1}, {1}) == (server.library.labels("colours"), server.available())


def test_a_file_that_would_lose_something_stops_it(model: StoredModel, tmp_path: Path) -> None:
    """Before anything is recorded: a second try would go one further back."""
    file = tmp_path / "models.config"
    file.write_text("model_config_list {")
    refused = rollback(model, file)

    assert (1, {"stable": 2}) == (refused.exit_code, model.labels())
    assert "nothing was changed" in refused.stderr


def test_a_file_that_cannot_be_written_is_told_apart(
    model: StoredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history has moved by then; the message says not to repeat it, and what to do."""

    def fail(*_: object) -> None:
        raise StoreError("No space left.")

    monkeypatch.setattr("pictor_store.serving.whole.write_config", fail)
    refused = rollback(model, tmp_path / "models.config")

    assert 1 == refused.exit_code
    assert "do not repeat the command, but let the file follow with `pictor models sync`" in refused.stderr
    assert {"stable": 1} == model.labels()
