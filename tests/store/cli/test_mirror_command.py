"""`pictor models mirror` as it is typed, and as a process that is told to stop."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pictor_store.changes import promote
from pictor_store.cli.models import models
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.models.history import read_labels
from pictor_store.models.model import StoredModel

Stored = Callable[..., StoredModel]
Run = Callable[..., Result]

FOLLOW = "from pictor_store.cli.models import models; models()"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Type `pictor models mirror` with more words; the store and the folder are the test's."""

    def type_in(*words: str) -> Result:
        where = ("--store", str(tmp_path / "store"), "--into", str(tmp_path / "mirror"))
        return CliRunner().invoke(models, ["mirror", *where, *words])

    return type_in


def test_what_is_served_is_mirrored_and_said(run: Run, stored_colours: Stored, tmp_path: Path) -> None:
    """For people and for programs; the file is what `config` prints."""
    promote(stored_colours(2), 1)
    file = tmp_path / "models.config"
    done = run("--models-config", str(file), "--base-path", "/models")
    again = run("--json")
    config = CliRunner().invoke(
        models, ["config", "--store", str(tmp_path / "store"), "--base-path", "/models"]
    )

    assert (0, "colours: mirrored 1; stable=1.\n") == (done.exit_code, done.output)
    assert [{"name": "colours", "versions": [1], "labels": {"stable": 1}}] == json.loads(again.stdout)
    assert config.stdout == file.read_text()


def test_what_cannot_be_mirrored_is_a_line_and_an_exit_code(
    run: Run, stored_colours: Stored, tmp_path: Path
) -> None:
    """What could be is said as well."""
    folder = stored_colours(1).folder(1)
    stored_colours(1, "other")
    assert folder is not None
    (folder / "saved_model.pb").write_text("damaged")
    done = run()

    assert 1 == done.exit_code
    assert 1 == len(done.stderr.splitlines())
    assert done.stderr.startswith("pictor models: ")
    assert "saved_model.pb is not the file that was published" in done.stderr
    assert "other: mirrored 1; no labels.\n" == done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 1, "has no model yet"),
        (("--model", "pets"), 1, "has no model pets"),
        (("--follow", "--models-config", "x"), 2, "needs --tfs"),
        (("--poll-interval-s", "0"), 2, "poll-interval-s"),
        (("--poll-interval-s", "nan"), 2, "poll-interval-s"),
        (("--keep-s", "inf"), 2, "keep-s"),
        (("--model", "pets, ../x"), 2, "received '../x'"),
        (("--into", "store"), 2, "Name a folder outside of the store"),
        (("--into", "store/colours"), 2, "Name a folder outside of the store"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: tuple[str, ...], code: int, told: str, run: Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """And told by the exit code."""
    if "--into" in words:
        request.getfixturevalue("stored_colours")(1)
        words = ("--into", str(tmp_path / words[1]))
    done = run(*words)

    assert code == done.exit_code
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_a_second_mirror_of_a_folder_ends_with_a_code_of_its_own(
    run: Run, stored_colours: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whoever finds a store locked."""
    stored_colours(1)
    monkeypatch.setattr("pictor_store.cli.mirror._LOCK_WAIT_S", 0.05)
    with MirrorFolder(tmp_path / "mirror").mine(str(tmp_path / "store"), 0):
        assert 5 == run().exit_code


def test_following_goes_on_until_it_is_told_to_stop(stored_colours: Stored, tmp_path: Path) -> None:
    """SIGTERM ends it at once with 0, as Kubernetes wants of a sidecar; the next one takes over."""
    model = stored_colours(2)
    mirror = tmp_path / "mirror"
    words = ("mirror", "--store", str(tmp_path / "store"), "--into", str(mirror), "--follow")
    for version, told in ((1, "mirrored 1; stable=1"), (2, "mirrored 1, 2; stable=2")):
        promote(model, version)
        with subprocess.Popen(
            [sys.executable, "-c", FOLLOW, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert f"colours: {told}.\n" == process.stdout.readline()
            assert {"stable": version} == read_labels(mirror / "colours")
            process.send_signal(signal.SIGTERM)
            assert ("", "") == process.communicate(timeout=10)
        assert 0 == process.returncode
