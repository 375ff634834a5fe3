"""The first version ever, before there is a server: DNS knows no address yet, and that is no error.

The resolver is a stand-in: real ones answer differently where there is no network.
"""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pictor_store.changes import promote, prune, rollback, sync
from pictor_store.cli.models import models
from pictor_store.errors import RolloutFailed
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import NoServers, Servers
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

NAME = "pictor-tf-serving"
NONE_YET = f"dns:///{NAME}:8500"
ABSENT = (socket.EAI_NONAME, socket.EAI_NODATA)

Stored = Callable[..., StoredModel]
Answer = Callable[[int | str], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Let DNS answer with an address, or with an error's number: `answer("127.0.0.1")`."""

    def use(what: int | str) -> None:
        def resolve(host: str, *_: object, **__: object) -> list[Any]:
            if isinstance(what, int):
                raise socket.gaierror(what, "as the test wants it")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (what, 0))]

        monkeypatch.setattr("pictor_store.serving.servers.socket.getaddrinfo", resolve)

    return use


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name the file that servers start with."""
    return tmp_path / "models.config"


@pytest.mark.parametrize("absent", ABSENT)
def test_the_first_version_needs_no_server(
    absent: int,
    stored_colours: Stored,
    file: Path,
    answer: Answer,
    tfs: Callable[..., StandIn],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The label is recorded and the file written; a server starts with it; the next version is as ever."""
    model = stored_colours(2)
    answer(absent)
    promote(model, 1, servers=Servers(NONE_YET, file))

    assert {"stable": 1} == model.labels()
    (warned,) = [one.getMessage() for one in caplog.records]
    assert "no TensorFlow Serving is there yet" in warned
    server = tfs(versions=(), config_file=file, labels_anywhere=True)
    assert {"stable": 1} == server.library.labels("colours")

    answer("127.0.0.1")
    promote(model, 2, servers=Servers(f"dns:///{NAME}:{server.port}", file, timeout_s=20))
    assert {"stable": 2} == server.library.labels("colours")
    rollback(model, servers=Servers(f"dns:///{NAME}:{server.port}", file, timeout_s=20))
    assert {"stable": 1} == server.library.labels("colours")


@pytest.mark.parametrize("absent", ABSENT)
def test_servers_that_are_all_down_are_an_error_as_before(
    absent: int, stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """Once a version was stable, silence hides what the servers have. The message says what to do."""
    model = stored_colours(2)
    answer(absent)
    promote(model, 1, servers=Servers(NONE_YET, file))
    before = file.read_text()
    for change in (
        lambda: promote(model, 2, servers=Servers(NONE_YET, file)),
        lambda: promote(model, 2, label="canary", servers=Servers(NONE_YET, file)),
    ):
        with pytest.raises(RolloutFailed, match=rf"{NAME} has no address.*wait until it is ready"):
            change()

    assert {"stable": 1} == model.labels()
    assert before == file.read_text()


def test_a_second_model_counts_on_the_servers_of_the_first(
    stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """Its own first version is not the store's: servers exist, and this one's model would stay unseen."""
    answer(socket.EAI_NONAME)
    promote(stored_colours(1), 1, servers=Servers(NONE_YET, file))
    other = stored_colours(1, "other")
    with pytest.raises(NoServers):
        promote(other, 1, servers=Servers(NONE_YET, file))

    assert {} == other.labels()


def test_a_resolver_that_fails_tells_nothing_of_servers(
    stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """EAI_AGAIN: nobody answered. A server may well be there."""
    model = stored_colours(1)
    answer(socket.EAI_AGAIN)
    with pytest.raises(RolloutFailed, match="when DNS answers"):
        promote(model, 1, servers=Servers(NONE_YET, file))

    assert {} == model.labels()
    assert not file.exists()


def test_an_address_beside_the_name_means_that_there_are_servers(
    stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """Then the name that has none is a mistake."""
    model = stored_colours(1)
    answer(socket.EAI_NONAME)
    with pytest.raises(RolloutFailed, match="has no address") as failed:
        promote(model, 1, servers=Servers(f"{NONE_YET},127.0.0.1:1", file, timeout_s=1))

    assert not isinstance(failed.value, NoServers)
    assert {} == model.labels()


def test_a_file_lost_to_a_kill_is_written_by_the_next_sync(
    stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """Servers that wait for the file would wait for ever, as none gets an address without it."""
    model = stored_colours(1)
    answer(socket.EAI_NONAME)
    promote(model, 1)  # the event is there, and the process was killed
    with pytest.raises(NoServers):
        sync(open_store(model.place.where), Servers(NONE_YET, file))

    assert 'key: "stable"' in file.read_text()


def test_a_sync_before_the_first_label_writes_the_file(
    stored_colours: Stored, file: Path, answer: Answer
) -> None:
    """Where `pictor train` published and nobody promoted, the newest version is served."""
    model = stored_colours(1)
    answer(socket.EAI_NONAME)
    sync(open_store(model.place.where), Servers(NONE_YET, file))

    assert "latest" in file.read_text()


def test_nothing_is_removed_while_no_server_says_what_it_has(stored_colours: Stored, answer: Answer) -> None:
    """A server that is just starting may have read the old file."""
    model = stored_colours(3)
    answer(socket.EAI_NONAME)
    with pytest.raises(NoServers):
        prune(model, 1, servers=Servers(NONE_YET))

    assert [1, 2, 3] == model.versions()


def test_the_command_says_that_no_server_is_there_yet(
    stored_colours: Stored, file: Path, answer: Answer, tmp_path: Path
) -> None:
    """On stderr, beside its answer."""
    stored_colours(1)
    answer(socket.EAI_NODATA)
    flags = ["--tfs", NONE_YET, "--models-config", str(file), "--base-path", "/models", "--json"]
    typed = ["promote", "colours", "1", *flags, "--store", str(tmp_path / "store")]
    done = CliRunner().invoke(models, typed)

    assert json.loads(done.stdout)["changed"], done.stderr
    assert "pictor models: no TensorFlow Serving is there yet" in done.stderr
    assert 'base_path: "/models/colours"' in file.read_text()
