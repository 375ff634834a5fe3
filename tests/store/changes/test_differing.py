"""Servers that differ, as after a restart: each keeps what it can answer until it has what is wanted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_store.changes import promote, sync
from pictor_store.errors import RolloutFailed
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from rollouts import to
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

Stored = Callable[..., StoredModel]
Start = Callable[..., StandIn]


def reloads(server: StandIn) -> list[str]:
    """Return the configurations a server was told."""
    return [call.config for call in server.asked("HandleReloadConfigRequest")]


def test_a_server_keeps_its_labels_while_another_one_catches_up(
    stored_colours: Stored, tfs: Start, tmp_path: Path
) -> None:
    """One was restarted and has nothing. Requests by label to the other one go on all the time."""
    model, whole, restarted = stored_colours(2), tfs(versions=()), tfs(versions=())
    for version in (1, 2):
        promote(model, version, servers=to(whole, restarted))
    restarted.stop()
    restarted.library.clear()
    restarted.start()
    told = len(reloads(whole))
    sync(open_store(tmp_path / "store"), to(whole, restarted))

    assert all('key: "stable"\n      value: 2' in config for config in reloads(whole)[told:])
    assert {"stable": 2} == restarted.library.labels("colours")


def test_a_model_that_one_server_has_lost_keeps_its_label_on_the_others(
    stored_colours: Stored, tfs: Start
) -> None:
    """It is not the one being promoted."""
    model, other = stored_colours(1), stored_colours(1, "other")
    good, bad = tfs(versions=()), tfs(versions=())
    promote(other, 1, servers=to(good, bad))
    bad.report(1, "END", "other", code=15, message=b"Can't parse it")
    promote(model, 1, servers=to(good, bad))

    assert {"stable": 1} == good.library.labels("other")
    assert {} == bad.library.labels("other")
    assert [{"stable": 1}] * 2 == [one.library.labels("colours") for one in (good, bad)]


def test_a_label_that_cannot_follow_stays_where_it_is(
    stored_colours: Stored, tfs: Start, wait_until: Any, tmp_path: Path
) -> None:
    """The version it names stays as well: better an old answer than none."""
    model, server = stored_colours(4), tfs(versions=())
    promote(model, 1, servers=to(server))
    for version in (2, 3):
        promote(model, version)
    server.report(3, "END", code=15, message=b"Can't parse it")
    with pytest.raises(RolloutFailed, match="failed to load colours/3"):
        sync(open_store(tmp_path / "store"), to(server))

    assert {"stable": 1} == server.library.labels("colours")
    wait_until(lambda: server.available() == {1, 2})


def test_a_server_without_a_free_thread_loses_no_label(stored_colours: Stored, tfs: Start) -> None:
    """One call more than it has threads is refused at once, and says nothing of labels."""
    model, server = stored_colours(2), tfs(versions=())
    promote(model, 1, servers=to(server))
    told = len(reloads(server))
    for method in ("Predict", "GetModelStatus", "HandleReloadConfigRequest"):
        server.faults.fail("RESOURCE_EXHAUSTED", "Concurrent RPC limit exceeded!", 1, method)
    promote(model, 2, servers=to(server))

    assert all('key: "stable"' in config for config in reloads(server)[told:])
    assert {"stable": 2} == server.library.labels("colours")


def test_what_was_the_newest_without_labels_answers_a_little_longer(
    stored_colours: Stored, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first promotion goes to an older one: gateways asked for the newest until now."""
    seen: list[set[int]] = []
    monkeypatch.setattr("pictor_store.serving.rollout._LINGER_S", 7.0)
    monkeypatch.setattr(
        "pictor_store.serving.rollout.sleep", lambda pause_s: pause_s == 7 and seen.append(server.available())
    )
    model, server = stored_colours(2), tfs(versions=(2,))
    promote(model, 1, servers=to(server))

    assert [{1, 2}] == seen


def test_a_model_that_appears_in_the_middle_is_told_of(
    stored_colours: Stored, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published and labelled without the servers, while they follow another one."""
    model, server = stored_colours(1), tfs(versions=())
    really = StoredModel.record

    def record(self: StoredModel, *given: Any, **more: Any) -> Any:
        if self.name == "colours":
            other = stored_colours(1, "other")
            really(other, "promoted", 1, {"stable": 1})
        return really(self, *given, **more)

    monkeypatch.setattr(StoredModel, "record", record)
    promote(model, 1, servers=to(server))

    assert 'name: "other"' in reloads(server)[-1]
    assert {"stable": 1} == server.library.labels("colours")
