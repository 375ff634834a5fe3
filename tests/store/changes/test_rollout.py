"""Promotion and rollback on servers that follow."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_store.changes import promote, prune, rollback, sync, unlabel
from pictor_store.errors import RolloutFailed, StoreError
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Tls
from rollouts import actions, to
from tfs.stand_in import StandIn, TlsFiles

pytestmark = pytest.mark.usefixtures("no_lingering")

Stored = Callable[..., StoredModel]
Start = Callable[..., StandIn]


def sync_other(tmp_path: Path, server: StandIn) -> None:
    """Label the broken model behind the server's back, and have the server follow."""
    store = open_store(tmp_path / "store")
    store.model("other").record("promoted", 1, {"stable": 1})
    sync(store, to(server))


def test_servers_follow_a_promotion_and_a_rollback(model: StoredModel, tfs: Start, wait_until: Any) -> None:
    """They keep stable and the version before it, and let go of what nobody needs."""
    servers = [tfs(versions=()), tfs(versions=())]
    for version, kept in ((1, {1}), (2, {1, 2}), (3, {2, 3})):
        promote(model, version, servers=to(*servers))
        assert [{"stable": version}] * 2 == [one.library.labels("colours") for one in servers]
        wait_until(lambda kept=kept: [kept] * 2 == [one.available() for one in servers])
    assert {"stable": 2} == rollback(model, servers=to(*servers)).labels

    assert [{"stable": 2}] * 2 == [one.library.labels("colours") for one in servers]
    wait_until(lambda: [{1, 2}] * 2 == [one.available() for one in servers])
    assert ["promoted", "promoted", "promoted", "rolled_back"] == actions(model)


def test_a_label_moves_only_to_what_has_proven_itself(model: StoredModel, tfs: Start) -> None:
    """Until then the old configuration is as it was but for one version more."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    promote(model, 2, servers=to(server))
    told = [call.config for call in server.asked("HandleReloadConfigRequest")]
    golden = [call for call in server.asked("Predict", "serving_default") if call.version == 2]

    assert 1 == len(golden)
    added, moved, last = told[-3:]
    assert [1, 1] == [added.count(f"versions: {one}") for one in (1, 2)]
    assert 'key: "stable"\n      value: 1' in added
    assert 'key: "stable"\n      value: 2' in moved
    assert moved == last


def test_a_reload_never_names_a_model_without_versions(
    model: StoredModel, stored_colours: Stored, tfs: Start, tmp_path: Path
) -> None:
    """The server would wait for it for ever. All others are named: what is left out would be unloaded."""
    stored_colours(1, "other")
    (tmp_path / "store" / "empty" / ".staging-1").mkdir(parents=True)
    (tmp_path / "store" / "lost+found").mkdir()
    server = tfs(versions=())
    promote(model, 1, servers=to(server))

    for call in server.asked("HandleReloadConfigRequest"):
        assert "empty" not in call.config
        assert 'name: "other"' in call.config
    assert {1} == server.available("other")


def test_another_model_s_trouble_does_not_stop_a_promotion(
    model: StoredModel, stored_colours: Stored, tfs: Start, tmp_path: Path
) -> None:
    """The reload fails with UNKNOWN and stays applied; what was asked for is there."""
    other = stored_colours(1, "other")
    folder = other.folder(1)
    assert folder is not None
    (folder / "saved_model.pb").write_text("{cut")
    server = tfs(versions=())

    assert "promoted" == promote(model, 1, servers=to(server)).action
    with pytest.raises(RolloutFailed, match=r"model\(s\) did not become available|failed to load"):
        sync_other(tmp_path, server)


def test_a_server_restarted_in_the_middle_is_told_again(
    model: StoredModel, tfs: Start, tmp_path: Path
) -> None:
    """It begins with what its file says: nothing of what the call told it."""
    file = tmp_path / "start.config"
    file.write_text("model_config_list {}")
    server = tfs(versions=(), config_file=file)
    promote(model, 1, servers=to(server))
    server.stop()
    server.start()
    assert set() == server.available()
    promote(model, 2, servers=to(server))

    assert {"stable": 2} == server.library.labels("colours")


def test_sync_brings_back_what_a_restart_or_a_kill_has_left(
    model: StoredModel, tfs: Start, wait_until: Any, tmp_path: Path
) -> None:
    """Whatever the servers have, in part and differing: the history decides."""
    ahead, behind = tfs(versions=()), tfs(versions=())
    promote(model, 1, servers=to(ahead, behind))
    promote(model, 2, servers=to(ahead))
    behind.stop()
    behind.start()
    behind.label("stable", 1)
    sync(open_store(tmp_path / "store"), to(ahead, behind))

    assert [{"stable": 2}] * 2 == [one.library.labels("colours") for one in (ahead, behind)]
    wait_until(lambda: [{1, 2}] * 2 == [one.available() for one in (ahead, behind)])
    assert 2 == len(actions(model))


def test_what_is_promoted_already_is_brought_to_the_servers(model: StoredModel, tfs: Start) -> None:
    """No event, but they follow: so a promotion that was killed is finished by itself."""
    server = tfs(versions=())
    event = promote(model, 2)

    assert event == promote(model, 2, servers=to(server))
    assert {"stable": 2} == server.library.labels("colours")


def test_a_status_that_cannot_be_read_is_no_obstacle(model: StoredModel, tfs: Start) -> None:
    """A failed load may make it so for as long as the server lives; the golden picture tells enough."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    server.faults.spoil("garbage_status")
    promote(model, 2, servers=to(server))

    assert {"stable": 2} == server.library.labels("colours")


def test_a_label_is_taken_from_the_servers(model: StoredModel, tfs: Start, wait_until: Any) -> None:
    """And its version, if nobody needs it."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    promote(model, 3, label="canary", servers=to(server))
    assert {"stable": 1, "canary": 3} == server.library.labels("colours")
    unlabel(model, "canary", servers=to(server))

    assert {"stable": 1} == server.library.labels("colours")
    wait_until(lambda: server.available() == {1})


def test_pruning_spares_what_a_server_has(model: StoredModel, tfs: Start) -> None:
    """And removes nothing if one does not say what it has."""
    server = tfs(versions=())
    promote(model, 3)
    server.load_colours(2)

    assert [1] == prune(model, 1, servers=to(server))
    server.unload(2)
    server.stop()
    with pytest.raises(RolloutFailed, match="Nothing was removed"):
        prune(model, 1, servers=to(server))
    assert [2, 3] == model.versions()


def test_what_has_just_lost_its_label_answers_a_little_longer(
    model: StoredModel, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gateways learn of it at their next look. What had none goes at once."""
    seen: list[set[int]] = []
    monkeypatch.setattr("pictor_store.serving.rollout._LINGER_S", 7.0)
    monkeypatch.setattr(
        "pictor_store.serving.rollout.sleep", lambda pause_s: pause_s == 7 and seen.append(server.available())
    )
    server = tfs(versions=())
    for version in (1, 2, 3):
        promote(model, version, servers=to(server))
    assert [] == seen
    promote(model, 1, label="canary", servers=to(server))
    rollback(model, servers=to(server))

    assert [{1, 2, 3}] == seen


def test_servers_follow_a_store_in_object_storage(
    model: StoredModel, tfs: Start, tmp_path: Path, bucket: object
) -> None:
    """They see it elsewhere: here, in a mirror of it."""
    remote = open_store("bucket://models").model("colours")
    for number in (1, 2):
        folder = model.folder(number)
        assert folder is not None
        remote.publish(folder)
        copy = remote.fetch(number, tmp_path / "fetched")
        shutil.copytree(copy, tmp_path / "mirror" / "colours" / str(number))
    server = tfs(versions=())
    for number in (1, 2):
        promote(remote, number, servers=to(server, base_path=str(tmp_path / "mirror")))

    assert {"stable": 2} == server.library.labels("colours") == remote.labels()


def test_servers_are_spoken_to_over_tls(model: StoredModel, tfs: Start, tls_files: TlsFiles) -> None:
    """With a certificate of our own, where they ask for one."""
    server = tfs(versions=(), tls=tls_files, mutual=True)
    ours = Tls(tls_files.ca, tls_files.client_cert, tls_files.client_key)
    with pytest.raises(RolloutFailed, match="Nothing was changed"):
        promote(model, 1, servers=to(server, tls=Tls(tls_files.ca)))
    promote(model, 1, servers=to(server, tls=ours))

    assert {"stable": 1} == server.library.labels("colours")
    with pytest.raises(StoreError, match="cannot be read for TLS"):
        promote(model, 2, servers=to(server, tls=Tls(tls_files.ca.with_name("none.pem"))))


def test_two_models_share_one_configuration(model: StoredModel, stored_colours: Stored, tfs: Start) -> None:
    """A promotion of one leaves the other's labels as they are."""
    other = stored_colours(2, "other")
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    promote(other, 1, servers=to(server))
    promote(model, 2, servers=to(server))

    assert [{"stable": 2}, {"stable": 1}] == [server.library.labels(one) for one in ("colours", "other")]
