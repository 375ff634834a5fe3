"""`pictor models config --wait`: what an init container of TensorFlow Serving does until there is a model."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from pictor_store.changes import sync
from pictor_store.cli import waiting
from pictor_store.cli.models import models
from pictor_store.errors import StoreError
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.servers import Servers

Stored = Callable[..., StoredModel]
Type = Callable[..., Result]

WAIT = "import sys; from pictor_store.cli.models import models; models(sys.argv[1:])"


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "models.config"


@pytest.fixture(name="type_in")
def _type_in(store: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type the command, which looks again a hundred times a second."""
    monkeypatch.setattr(waiting, "_LOOK_S", 0.01)

    def run(*words: str) -> Result:
        return CliRunner().invoke(models, ["config", "--store", str(store), *words])

    return run


@pytest.fixture(name="begun")
def _begun(store: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Begin the command as a process of its own, that can be told to end."""
    running: list[subprocess.Popen[str]] = []

    def begin() -> "subprocess.Popen[str]":
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", WAIT, "config", "--wait", "--store", str(store)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_what_is_there_is_not_waited_for(type_in: Type, stored_colours: Stored) -> None:
    """It prints what servers would start with, as without --wait, and says nothing."""
    stored_colours(1)
    done = type_in("--wait", "--model", "colours")

    assert (0, "") == (done.exit_code, done.stderr)
    assert done.stdout == type_in().stdout
    assert 'name: "colours"' in done.stdout


def test_the_first_model_ends_the_waiting(
    type_in: Type, stored_colours: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line when it begins, with what to do, and one when it ends; the store need not even be there."""
    looked: list[str] = []
    missing = waiting._missing

    def publish_after_the_third_look(*asked: object) -> str:
        looked.append("")
        if len(looked) == 3:
            other = Thread(target=stored_colours, args=(1,))
            other.start()
            other.join()
        return missing(*asked)  # type: ignore[arg-type] - the three it was called with

    monkeypatch.setattr(waiting, "_missing", publish_after_the_third_look)
    done = type_in("--wait")
    first, last = done.stderr.splitlines()

    assert 0 == done.exit_code
    assert first.startswith("pictor models: waiting: ")
    assert "has no version of any model yet. Run the first retraining: `pictor retrain`" in first
    assert "kubectl create job first --from=cronjob/pictor-retrain" in first
    assert last.startswith("pictor models: found after ")


def test_another_model_is_not_enough(type_in: Type, stored_colours: Stored, store: Path) -> None:
    """Every model that was named is waited for; a folder without a version is none."""
    stored_colours(1, "other")
    (store / "colours").mkdir()
    found = waiting._missing(open_store(store), ("colours", "other"), None)
    assert f"{store} has no version of colours yet" == found
    assert 0 == type_in("--wait", "--model", "other").exit_code


def test_the_file_is_waited_for_as_well(stored_colours: Stored, store: Path, file: Path) -> None:
    """It is not there, is something else, names another model, and at last what servers start with."""
    stored_colours(1)

    def missing() -> str:
        return waiting._missing(open_store(store), ("colours",), file)

    assert f"{file} is not there yet" == missing()
    file.write_text("model_config_list {")
    assert missing().startswith(f"{file} cannot be read as a models.config: ")
    file.write_text('model_config_list { config { name: "other" } }')
    assert f"{file} does not name colours yet" == missing()
    sync(open_store(store), Servers(config_file=file))
    assert "" == missing()


def test_entries_for_other_servers_are_no_hindrance(stored_colours: Stored, store: Path, file: Path) -> None:
    """TensorFlow Serving knows more fields than we do."""
    stored_colours(1)
    file.write_text('model_config_list { config { name: "colours" logging_config { sampling_config {} } } }')
    assert "" == waiting._missing(open_store(store), ("colours",), file)


def test_every_minute_says_what_is_missing(
    store: Path, monkeypatch: pytest.MonkeyPatch, stored_colours: Stored
) -> None:
    """So that a look at the end of the log is enough."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "_LOOK_S", 0.0)
    monkeypatch.setattr(waiting, "_SAY_S", 0.0)

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            stored_colours(1)

    waiting.wait_until_served(open_store(store), (), None, say)
    assert f"still waiting after 0 min: {store} has no version of any model yet." == said[1] == said[2]
    assert 4 == len(said)


def test_a_store_that_cannot_be_read_is_waited_for(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume may be on its way; the reason is said."""

    def fail(_: ModelStore) -> list[str]:
        raise StoreError("store cannot be read: Stale file handle.")

    monkeypatch.setattr(ModelStore, "names", fail)
    assert "store cannot be read: Stale file handle" == waiting._missing(open_store(store), (), None)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once(
    number: int, code: int, begun: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """Also as first process of a container, where nothing but a handler of its own does."""
    process = begun()
    assert process.stderr is not None
    assert "waiting" in process.stderr.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)

    assert (code, "") == (process.returncode, out)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_somebody_else_may_wait_where_nothing_can_be_written(stored_colours: Stored, store: Path) -> None:
    """The volume is mounted read-only and its files are another user's: nothing is made, not even a lock."""
    stored_colours(2)
    with tempfile.TemporaryDirectory(
        prefix="pictor-volume-"
    ) as made:  # pytest's own folders are for one user
        volume = Path(made)
        shutil.copytree(store, volume, dirs_exist_ok=True)
        sync(open_store(store), Servers(config_file=volume / "models.config"))
        for path in (*volume.rglob("*"), volume):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = {path: path.stat().st_mtime_ns for path in volume.rglob("*")}
        words = ["config", "--store", made, "--models-config", f"{made}/models.config", "--wait"]
        CliRunner().invoke(models, words)  # what is imported, is: the other user may not read our code
        os.seteuid(12345)
        try:
            done = CliRunner().invoke(models, words)
        finally:
            os.seteuid(0)

        assert (0, "") == (done.exit_code, done.stderr)
        assert 'name: "colours"' in done.stdout
        assert before == {path: path.stat().st_mtime_ns for path in volume.rglob("*")}


@pytest.mark.parametrize("words", [("--model", "colours"), ("--models-config", "x")])
def test_what_to_wait_for_needs_the_waiting(words: tuple[str, str], type_in: Type) -> None:
    """Otherwise it would be ignored without a word."""
    done = type_in(*words)
    assert 2 == done.exit_code
    assert "need --wait" in done.stderr
