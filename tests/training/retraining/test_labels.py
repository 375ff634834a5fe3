"""Which label a version gets, what is kept beside it, and who is told."""

import shutil
import socket
from typing import Any

import pytest

from bucket import bucket_at
from nights import NAME, Nights, write_pictures
from pictor_contract.artifact import CONTRACT_FILE
from pictor_store.errors import RolloutFailed
from pictor_store.models.store import open_store
from pictor_training.errors import DataError, StoreFailed
from pictor_training.retraining.memory import Memory
from pictor_training.retraining.tools import real_tools


def _labels(nights: Nights) -> dict[str, int]:
    return dict(nights.model.labels())


def test_a_canary_is_labelled_beside_the_stable_version(served: Nights) -> None:
    """publish.label: canary lets stable stay where it is."""
    write_pictures(served.pictures, "red", 12, 100)
    served.run("publish.label=canary")
    assert {"stable": 1, "canary": 2} == _labels(served)


def test_the_first_version_is_stable_whatever_the_label(nights: Nights) -> None:
    """A canary beside nothing would be asked for everything."""
    nights.run("publish.label=canary")
    assert {"stable": 1} == _labels(nights)


def test_without_a_label_the_version_waits(served: Nights) -> None:
    """publish.label: none leaves it to somebody to promote it."""
    write_pictures(served.pictures, "red", 12, 100)
    assert 0 == served.run("publish.label=none").exit_code
    assert ({"stable": 1}, [1, 2]) == (_labels(served), served.model.versions())


def test_what_served_without_a_label_becomes_stable_before_its_successor_comes(nights: Nights) -> None:
    """So that it can come back, and answers until the label moves."""
    nights.run("publish.label=none", "store=elsewhere")  # the first one is stable
    artifact = nights.folder / "elsewhere" / "colours" / "1"
    shutil.copytree(artifact, nights.folder / "models" / "colours" / "1")  # as if `pictor train` had made it
    shutil.rmtree(nights.runs)
    assert 0 == nights.run().exit_code
    history = [(event.action, event.labels) for event in nights.model.history()]
    assert [
        ("found", {}),
        ("promoted", {"stable": 1}),
        ("published", {"stable": 1}),
        ("promoted", {"stable": 2}),
    ] == history


def test_old_runs_and_versions_go_but_not_what_is_there_to_serve(served: Nights) -> None:
    """One run is kept, and the runs of the versions that are kept; the ledger remembers all."""
    served.settings["keep"] = {"versions": 2, "runs": 1}
    for number in range(4):
        write_pictures(served.pictures, "red", 3, 100 + 10 * number)
        served.run()
    ledger = Memory(served.runs, "colours").ledger()
    assert ([4, 5], [1, 2, 3, 4, 5]) == (served.model.versions(), [entry.sequence for entry in ledger])
    left = [(served.runs / entry.run).is_dir() for entry in ledger]
    assert [False, False, False, True, True] == left


def test_servers_are_told_and_those_that_are_away_do_not_stop_a_quiet_night(served: Nights) -> None:
    """They are brought up to date each night; a label moves only where they follow."""
    told: list[tuple[str, object]] = []

    def away(store: str, servers: Any) -> None:
        told.append((store, servers.targets))
        raise RolloutFailed("nobody there")

    tfs = "publish.tfs='127.0.0.1:8500'"
    assert "Nothing new" in served.with_tools(sync=away).run(tfs).lines[0]
    assert [str(served.folder / "models")] == [store for store, _ in told]
    write_pictures(served.pictures, "red", 12, 100)
    given: list[tuple[int, str, bool]] = []
    quiet = served.with_tools(
        sync=lambda *_: None,
        prune=lambda *_: None,
        promote=lambda _, version, label, servers, __: given.append((version, label, bool(servers))),
    )
    quiet.run(tfs)
    assert [(2, "stable", True)] == given


def test_the_first_night_needs_no_server_and_the_next_one_does(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first version servers wait for their file and have no address; later that is a failure.

    The next night fails where only the label is missing, so that a retry needs no training.
    """

    def no_address(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("pictor_store.serving.servers.socket.getaddrinfo", no_address)
    real = nights.with_tools(promote=real_tools().promote, sync=real_tools().sync, prune=lambda *_: None)
    tfs = ("publish.tfs=dns:///tfs:8500", "publish.models_config=models/models.config")
    assert 0 == real.run(*tfs).exit_code
    assert {"stable": 1} == _labels(nights)
    assert "versions: 1" in (nights.folder / "models" / "models.config").read_text()

    write_pictures(nights.pictures, "red", 12, 100)
    with pytest.raises(StoreFailed, match="tfs has no address"):
        real.run(*tfs)
    assert ({"stable": 1}, [1, 2]) == (_labels(nights), nights.model.versions())
    monkeypatch.undo()
    assert 0 == nights.run(*tfs).exit_code
    assert ({"stable": 2}, [1, 2]) == (_labels(nights), nights.model.versions())


def test_a_damaged_champion_stops_the_night_unless_it_may_be_replaced(served: Nights) -> None:
    """Nobody else can tell whether new labels are right, or whether the next version is better."""
    (served.folder / "models" / "colours" / "1" / CONTRACT_FILE).write_text("damaged")
    write_pictures(served.pictures, "red", 12, 100)
    with pytest.raises(StoreFailed, match=r"cannot be asked.*gate\.champion_unreadable"):
        served.run()
    served.settings["gate"] = {"champion_unreadable": "allow"}
    assert 0 == served.run().exit_code
    assert {"stable": 2} == _labels(served)
    assert any("New labels are not checked" in line for line in served.lines)


def test_a_champion_that_nobody_wrote_about_still_guards_its_classes(served: Nights) -> None:
    """Of a version made by `pictor train` only the contract tells which classes there must be."""
    shutil.rmtree(served.runs)
    shutil.rmtree(served.pictures / "blue")
    with pytest.raises(DataError, match="class 'blue' has vanished"):
        served.run()


def test_object_storage_is_a_store_like_another(nights: Nights) -> None:
    """Champions are copied from it while they are asked, and not kept."""
    nights.settings["store"] = "bucket://models"
    with bucket_at(nights.folder / "bucket"):
        model = open_store("bucket://models").model(NAME)
        assert 0 == nights.run().exit_code
        write_pictures(nights.pictures, "red", 12, 100, label="green")
        with pytest.raises(DataError, match="in quarantine"):
            nights.run()
        write_pictures(nights.pictures, "red", 12, 200)
        assert 0 == nights.run().exit_code
        assert ({"stable": 2}, [1, 2]) == (model.labels(), model.versions())
        assert "Nothing new" in nights.run().lines[0]
    assert not (nights.runs / ".retrain-colours" / "champions").exists()
