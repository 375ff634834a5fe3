"""The history: what it survives, what it refuses, and that nobody overwrites anybody."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pictor_store.errors import ChangeRefused, StoreError, VersionMissing
from pictor_store.models.history import MAX_EVENT_BYTES, Event, read_labels
from pictor_store.models.store import StoredModel, open_store


@pytest.fixture
def model(where: str | Path, artifact: Path) -> StoredModel:
    """Return a model with two versions, the first of them stable."""
    model = open_store(where).model("pets")
    model.publish(artifact)
    model.publish(artifact)
    model.record("promoted", 1, {"stable": 1}, "the first", "tests")
    return model


@pytest.fixture
def folder(tmp_path: Path, artifact: Path) -> Path:
    """Return the folder of a model with two versions, the first of them stable."""
    model = open_store(tmp_path / "models").model("pets")
    model.publish(artifact)
    model.publish(artifact)
    model.record("promoted", 1, {"stable": 1})
    return tmp_path / "models" / "pets"


def _spoil(model: StoredModel, sequence: int, content: bytes) -> None:
    model.place.write(f"pets/.history/{sequence:08d}.json", content)


def _event(**other: Any) -> bytes:
    event = Event(4, "2026-01-01T00:00:00Z", "labelled", 2, {"stable": 1, "canary": 2}, versions=(1, 2))
    return json.dumps({**json.loads(event.written()), **other}).encode()


def test_the_last_event_holds_all_that_is_true(model: StoredModel) -> None:
    """Each says what was done, and the state after it."""
    event = model.record("labelled", 2, {"stable": 1, "canary": 2}, "try it", "tests")
    labels = {"stable": 1, "canary": 2}

    assert event == model.last_event() == model.history()[-1]
    assert labels == model.labels() == event.labels
    assert (4, "labelled", 2, "try it", "tests", (1, 2)) == (
        event.sequence,
        event.action,
        event.version,
        event.reason,
        event.by,
        event.versions,
    )
    assert ["published", "published", "promoted", "labelled"] == [one.action for one in model.history()]
    assert [1, 2, 3, 4] == [one.sequence for one in model.history()]


def test_a_model_without_history_has_no_labels(where: str | Path) -> None:
    """As a store has that was written before there were any."""
    model = open_store(where).model("pets")

    assert ({}, [], None) == (model.labels(), model.history(), model.last_event())


def test_without_labels_an_event_leaves_them_as_they_are(model: StoredModel) -> None:
    """Whatever they have become meanwhile."""
    assert {"stable": 1} == model.record("pruned", 9).labels


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"torn {",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b" " * (MAX_EVENT_BYTES + 1),
        _event(sequence=5),
        _event(sequence=True),
        _event(action="dreamt"),
        _event(version="2"),
        _event(version=-1),
        _event(versions=["2"]),
        _event(versions=2),
        _event(labels={"stable": True}),
        _event(labels={"stable": "1"}),
        _event(labels={"no label": 1}),
        _event(labels=["stable"]),
        _event(reason=None),
        _event(at_utc=5),
    ],
)
def test_a_last_event_that_cannot_be_read_is_an_error_that_names_it(folder: Path, content: bytes) -> None:
    """Never passed over: the one before may say that a bad version is stable."""
    (folder / ".history" / "00000004.json").write_bytes(content)
    model = open_store(folder.parent).model("pets")
    before = sorted(folder.rglob("*"))

    for ask in (model.labels, model.history, model.last_event, lambda: read_labels(folder)):
        with pytest.raises(StoreError, match=r"pets/\.history/00000004\.json cannot be read as an event"):
            ask()
    with pytest.raises(StoreError, match=r"00000004\.json"):
        model.record("promoted", 2, {"stable": 2})
    assert before == sorted(folder.rglob("*"))


def test_an_event_of_a_newer_release_is_told_as_such(model: StoredModel) -> None:
    """What its new field means nobody here can know."""
    _spoil(model, 4, _event(weights={"stable": 0.9}))
    with pytest.raises(StoreError, match=r"does not know: weights\. Use the release that wrote it"):
        model.labels()


def test_an_event_of_an_older_release_has_no_versions(model: StoredModel) -> None:
    """All fields with a default may be missing."""
    old = json.loads(_event())
    for name in ("versions", "reason", "by"):
        del old[name]
    _spoil(model, 4, json.dumps(old).encode())
    assert {"stable": 1, "canary": 2} == model.labels()


def test_a_damaged_event_before_the_last_is_left_out_and_logged(
    model: StoredModel, caplog: pytest.LogCaptureFixture
) -> None:
    """What holds now is still known."""
    _spoil(model, 2, b"")

    assert [1, 3] == [event.sequence for event in model.history()]
    assert ["event left out"] == caplog.messages
    assert {"stable": 1} == model.labels()
    assert 4 == model.record("rolled_back", 2, {"stable": 2}).sequence


def test_foreign_names_in_the_history_are_not_read(model: StoredModel) -> None:
    """An editor's copy, a half written file, notes."""
    for name in ("99999999.json~", ".99999999.json.swp", ".0123.partial", "notes.txt", "9.json", "x/1"):
        model.place.write(f"pets/.history/{name}", b"foreign")

    assert {"stable": 1} == model.labels()
    assert [1, 2, 3] == [event.sequence for event in model.history()]


def test_a_folder_called_like_an_event_is_an_error(folder: Path) -> None:
    """It cannot be read as one."""
    (folder / ".history" / "00000004.json").mkdir()
    for ask in (open_store(folder.parent).model("pets").labels, lambda: read_labels(folder)):
        with pytest.raises(StoreError, match=r"00000004\.json|Is a directory"):
            ask()


@pytest.mark.parametrize("label", ["", "a b", "a-b", "a/b", "ü", "x" * 65, "stable\n"])
def test_a_label_that_tensorflow_serving_would_not_take_is_refused(model: StoredModel, label: str) -> None:
    """Nothing is recorded."""
    with pytest.raises(ChangeRefused, match="a label must be letters, digits and '_', at most 64"):
        model.record("labelled", 2, {"stable": 1, label: 2})
    assert 3 == len(model.history())


def test_a_label_names_a_version_that_is_there(model: StoredModel) -> None:
    """But for one that was gone before: others can still be moved."""
    with pytest.raises(VersionMissing, match=r"pets has no version 7\. There are: 1, 2\."):
        model.record("promoted", 7, {"stable": 7})
    model.place.remove("pets/1")
    assert {"stable": 1, "canary": 2} == model.record("labelled", 2, {"stable": 1, "canary": 2}).labels


def test_what_could_not_be_read_again_is_not_written(model: StoredModel) -> None:
    """A reason without end would lock everybody out."""
    with pytest.raises(ChangeRefused, match=r"more than 1048576 bytes.*Nothing was recorded"):
        model.record("promoted", 2, {"stable": 2}, reason="x" * MAX_EVENT_BYTES)
    assert 3 == len(model.history())


def test_any_text_can_be_a_reason(model: StoredModel) -> None:
    """Also a file's name that is no text, as a command line hands it over."""
    model.record("promoted", 2, {"stable": 2}, reason="gut, größer \udc80\0\n", by="\U0001f408")
    event = model.history()[-1]

    assert ("gut, größer \udc80\0\n", "\U0001f408") == (event.reason, event.by)
    assert "größer" in model.place.read("pets/.history/00000004.json").decode()


def test_who_expects_another_last_event_is_refused(model: StoredModel) -> None:
    """The labels were made from what does not hold any more."""
    for expected in (0, 2, 4):
        with pytest.raises(ChangeRefused, match="somebody else changed the model"):
            model.record("promoted", 2, {"stable": 2}, expected=expected)
    assert 4 == model.record("promoted", 2, {"stable": 2}, expected=3).sequence


def test_the_first_event_can_be_expected_to_be_the_first(where: str | Path) -> None:
    """0 stands for an empty history."""
    model = open_store(where).model("pets")
    assert 1 == model.record("found", 1, expected=0).sequence


def test_of_two_who_move_labels_at_once_one_is_refused(model: StoredModel, where: str | Path) -> None:
    """However close: the labels of the other are not overwritten."""
    models = [open_store(where).model("pets") for _ in range(6)]
    start = threading.Barrier(len(models))
    done: list[str] = []

    def move(one: StoredModel, label: str) -> None:
        start.wait(30)
        try:
            one.record("labelled", 2, {"stable": 1, label: 2}, expected=3)
            done.append(label)
        except ChangeRefused:
            pass

    threads = [
        threading.Thread(target=move, args=(one, f"label_{number}")) for number, one in enumerate(models)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 1 == len(done)
    assert {"stable": 1, done[0]: 2} == model.labels()
    assert [1, 2, 3, 4] == [event.sequence for event in model.history()]


def test_two_processes_that_record_at_once_both_do(folder: Path) -> None:
    """Events that leave the labels alone line up without a gap."""
    code = (
        "import sys; from pictor_store.models.store import open_store\n"
        "model = open_store(sys.argv[1]).model('pets')\n"
        "for _ in range(30): model.record('failed', 2, by=sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(folder.parent)]
    both = [subprocess.Popen([*command, who]) for who in ("one", "other")]

    assert [0, 0] == [process.wait(60) for process in both]
    events = open_store(folder.parent).model("pets").history()
    assert list(range(1, 64)) == [event.sequence for event in events]
    assert {"one": 30, "other": 30} == {
        who: sum(event.by == who for event in events) for who in ("one", "other")
    }
    assert all(event.labels == {"stable": 1} for event in events[2:])


def test_a_file_where_the_history_should_be_is_said_so(folder: Path) -> None:
    """Not that another process was faster."""
    (folder / ".history").rename(folder / "elsewhere")
    (folder / ".history").write_bytes(b"in the way")
    with pytest.raises(StoreError, match=r"Not a directory: .*\.history"):
        open_store(folder.parent).model("pets").record("promoted", 1, {"stable": 1})


def test_a_clock_that_jumps_changes_nothing(model: StoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order is the sequence's."""
    monkeypatch.setattr("pictor_store.models.model.now_utc", lambda: "1970-01-01T00:00:00Z")
    model.record("promoted", 2, {"stable": 2})

    assert {"stable": 2} == model.labels()
    assert [1, 2, 3, 4] == [event.sequence for event in model.history()]


def test_a_file_that_cannot_be_written_leaves_the_history_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the labels stay, and so does the folder's content."""
    before = sorted(folder.rglob("*"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot be changed: .*No space left.*Free space there"):
        open_store(folder.parent).model("pets").record("promoted", 2, {"stable": 2})
    assert before == sorted(folder.rglob("*"))
