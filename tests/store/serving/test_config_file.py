"""Servers that read their configuration from a file: at their start, or again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_store.changes import promote, rollback, sync
from pictor_store.errors import ChangeRefused, RolloutFailed, StoreError
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving import rollout
from pictor_store.serving.questions import prove
from pictor_store.serving.servers import Servers
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

Start = Callable[..., StandIn]


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel]) -> StoredModel:
    """Store three versions."""
    return stored_colours(3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "models.config"


def to(file: Path, *servers: StandIn, timeout_s: float = 20.0) -> Servers:
    """Name the servers and their file."""
    return Servers(tuple(one.address for one in servers), file, timeout_s=timeout_s)


@pytest.mark.parametrize("anywhere", [True, False])
def test_a_polling_server_follows_and_stays(
    anywhere: bool, model: StoredModel, file: Path, tfs: Start, wait_until: Any
) -> None:
    """Its polls never undo what the call did: the file is written first. With the labels' flag or without."""
    sync(open_store(model.place.where), Servers(config_file=file))
    server = tfs(versions=(), config_file=file, config_poll_s=0.02, labels_anywhere=anywhere)
    for version in (1, 2, 3):
        promote(model, version, servers=to(file, server))
        assert {"stable": version} == server.library.labels("colours")
    rollback(model, servers=to(file, server))

    assert {"stable": 2} == server.library.labels("colours")
    wait_until(lambda: server.available() == {1, 2})
    assert 'key: "stable"\n      value: 2' in file.read_text()


def test_a_failed_promotion_leaves_the_file_as_it_was(model: StoredModel, file: Path, tfs: Start) -> None:
    """A server that starts with it later has what the others have."""
    server = tfs(versions=())
    promote(model, 1, servers=to(file, server))
    before = file.read_text()
    server.faults.spoil("nan", version=2)
    with pytest.raises(RolloutFailed):
        promote(model, 2, servers=to(file, server))

    assert before == file.read_text()


def test_a_server_restarted_in_the_middle_begins_with_the_right_file(
    model: StoredModel, file: Path, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told what else there is. It dies as it is asked for the golden picture."""
    sync(open_store(model.place.where), Servers(config_file=file))
    server = tfs(versions=(), config_file=file, labels_anywhere=True)
    promote(model, 1, servers=to(file, server))
    restarts: list[int] = []

    def restart_once(*asked: Any) -> bool:
        if not restarts:
            restarts.append(1)
            server.stop()
            server.start()
        return prove(*asked)

    monkeypatch.setattr(rollout, "prove", restart_once)
    promote(model, 2, servers=to(file, server))

    assert restarts
    assert {"stable": 2} == server.library.labels("colours")


def test_a_server_restarted_in_the_middle_with_an_old_file_is_told_again(
    model: StoredModel, tmp_path: Path, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows nothing of the change; without this it would be waited for in vain."""
    start = tmp_path / "start.config"
    sync(open_store(model.place.where), Servers(config_file=start))
    server = tfs(versions=(), config_file=start)
    promote(model, 1, servers=Servers(server.address, timeout_s=20))
    restarts: list[int] = []

    def restart_once(*asked: Any) -> int | None:
        if not restarts:
            restarts.append(1)
            server.stop()
            server.start()
        return real(*asked)

    real = rollout.ask_label
    monkeypatch.setattr(rollout, "_TELL_AGAIN_S", 0.05)
    monkeypatch.setattr(rollout, "ask_label", restart_once)
    promote(model, 2, servers=Servers(server.address, timeout_s=20))

    assert restarts
    assert {"stable": 2} == server.library.labels("colours")


def test_a_file_alone_takes_a_first_label_and_moves_none(model: StoredModel, file: Path) -> None:
    """Nobody could see whether the servers have the version a label moves to."""
    promote(model, 1, servers=Servers(config_file=file))
    before = file.read_text()
    assert "versions: 1" in before
    with pytest.raises(ChangeRefused, match="--tfs"):
        promote(model, 2, servers=Servers(config_file=file))

    assert {"stable": 1} == model.labels()
    assert before == file.read_text()


def test_a_file_that_cannot_be_read_stops_all(model: StoredModel, file: Path, tfs: Start) -> None:
    """Other models may be in it."""
    file.write_text("model_config_list {")
    server = tfs(versions=())
    with pytest.raises(StoreError, match="Correct or remove it"):
        promote(model, 1, servers=to(file, server))

    assert {} == model.labels()
    assert [] == server.asked("HandleReloadConfigRequest")


def test_a_store_that_is_gone_changes_no_file(file: Path, tmp_path: Path) -> None:
    """As when a mount is lost: what servers start with stays."""
    file.write_text("model_config_list {}")
    with pytest.raises(ChangeRefused, match="no models"):
        sync(open_store(tmp_path / "nowhere"), Servers(config_file=file))

    assert "model_config_list {}" == file.read_text()
