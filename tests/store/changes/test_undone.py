"""Servers that do not follow: what is refused before it begins, and what is taken back."""

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from pictor_store.changes import promote, rollback
from pictor_store.errors import ChangeRefused, RolloutFailed, StoreError
from pictor_store.models.model import StoredModel
from pictor_store.serving.servers import Servers
from rollouts import actions, to
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

Start = Callable[..., StandIn]


def test_a_damaged_copy_on_one_server_takes_everything_back(
    model: StoredModel, tfs: Start, wait_until: Any
) -> None:
    """Both servers are told to be as before; the attempt is recorded and no label has moved."""
    good, bad = tfs(versions=()), tfs(versions=())
    promote(model, 1, servers=to(good, bad))
    bad.faults.spoil("other_scores", version=2)
    with pytest.raises(RolloutFailed, match=r"colours/2 is available, but The golden.*told to be as before"):
        promote(model, 2, servers=to(good, bad))

    assert {"stable": 1} == model.labels()
    assert ["promoted", "failed"] == actions(model)
    for server in (good, bad):
        wait_until(lambda server=server: server.available() == {1})
        assert {"stable": 1} == server.library.labels("colours")


def test_a_version_that_is_available_and_half_there_is_not_believed(model: StoredModel, tfs: Start) -> None:
    """AVAILABLE is no proof: every picture would fail."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    server.faults.spoil("half", version=2)
    with pytest.raises(RolloutFailed, match="answers with FAILED_PRECONDITION"):
        promote(model, 2, servers=to(server))


def test_another_model_under_the_same_number_is_not_believed(model: StoredModel, tfs: Start) -> None:
    """The contract's digest tells."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    server.faults.spoil("other_contract", version=2)
    with pytest.raises(RolloutFailed, match="another contract"):
        promote(model, 2, servers=to(server))


def test_a_number_that_failed_once_is_not_tried_again(model: StoredModel, tfs: Start) -> None:
    """The server would not. It is said before anything changes, with what helps."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    server.report(2, "END", code=15, message=b"Can't parse \xff as binary proto")
    told = len(server.asked("HandleReloadConfigRequest"))
    with pytest.raises(RolloutFailed, match=r"tries no number twice: restart it.*Nothing was changed"):
        promote(model, 2, servers=to(server))

    assert told == len(server.asked("HandleReloadConfigRequest"))
    assert ["promoted"] == actions(model)


def test_a_load_that_takes_too_long_is_taken_back(model: StoredModel, tfs: Start) -> None:
    """The time is the caller's; the server may still be trying."""
    server = tfs(versions=(1,), load_s=3600)
    promote(model, 1, servers=to(server))
    with pytest.raises(RolloutFailed, match=r"within 0\.3 s.*told to be as before"):
        promote(model, 2, servers=to(server, timeout_s=0.3))

    assert {"stable": 1} == server.library.labels("colours")
    assert {"stable": 1} == model.labels()


def test_a_server_that_is_down_refuses_the_promotion_before_anything_changes(
    model: StoredModel, tfs: Start
) -> None:
    """It would differ from the others, and nobody would know."""
    up, down = tfs(versions=()), tfs(versions=())
    promote(model, 1, servers=to(up, down))
    down.stop()
    told = len(up.asked("HandleReloadConfigRequest"))
    with pytest.raises(RolloutFailed, match=rf"{down.address}.*Nothing was changed"):
        promote(model, 2, servers=to(up, down))

    assert told == len(up.asked("HandleReloadConfigRequest"))
    assert ["promoted"] == actions(model)


def test_a_blocked_server_is_told_of(model: StoredModel, tfs: Start) -> None:
    """A missing base path blocks every later reload: the deadline is ours, and the words say what may be."""
    server = tfs(versions=())
    with pytest.raises(RolloutFailed, match=r"below /nowhere.*It could not be undone everywhere"):
        promote(model, 1, servers=to(server, timeout_s=0.3, base_path="/nowhere"))

    assert {} == model.labels()
    assert ["failed"] == actions(model)


def test_an_interrupted_promotion_is_taken_back(
    model: StoredModel, tfs: Start, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    """As by Ctrl-C while it waits."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))

    def stop(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("pictor_store.serving.rollout.prove", stop)
    with pytest.raises(KeyboardInterrupt):
        promote(model, 2, servers=to(server))

    assert ["promoted", "failed"] == actions(model)
    wait_until(lambda: server.available() == {1})


def test_labels_that_do_not_follow_go_back_in_the_history_too(
    model: StoredModel, tfs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promotion was recorded already: another event takes it back."""
    server = tfs(versions=())
    promote(model, 1, servers=to(server))
    monkeypatch.setattr("pictor_store.serving.rollout.ask_label", lambda *_: 1)
    with pytest.raises(RolloutFailed, match=r"did not let the label name the version"):
        promote(model, 2, servers=to(server, timeout_s=0.5))

    assert {"stable": 1} == model.labels()
    assert ["promoted", "promoted", "failed"] == actions(model)
    assert {"stable": 1} == server.library.labels("colours")
    with pytest.raises(ChangeRefused, match=r"never named another"):
        rollback(model)


def test_addresses_and_base_paths_are_judged_before_anything_is_asked() -> None:
    """With what to write."""
    for wrong in (
        {"addresses": "http://tfs:8501"},
        {"base_path": "models"},
        {"timeout_s": 0.0},
        {"timeout_s": inf},
    ):
        with pytest.raises(StoreError):
            Servers(**wrong)  # type: ignore[arg-type] - of several types

    assert not Servers()
