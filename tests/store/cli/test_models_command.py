"""`pictor models` as it is typed: what it prints, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pictor_store.cli.models import models
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store

Stored = Callable[..., StoredModel]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Type a command: `run("promote", "colours", "2")`; the store is the test's."""

    def type_in(*words: str) -> Result:
        return CliRunner().invoke(models, [*words, "--store", str(tmp_path / "store")])

    return type_in


def document(result: Result) -> Any:
    """Return what was printed for programs."""
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def test_models_are_listed_with_versions_and_labels(run: Run, stored_colours: Stored) -> None:
    """For people and for programs."""
    assert "No models.\n" == run("list").output
    stored_colours(2)
    stored_colours(1, "other")
    run("promote", "colours", "1")

    assert [
        {"name": "colours", "versions": [1, 2], "labels": {"stable": 1}},
        {"name": "other", "versions": [1], "labels": {}},
    ] == document(run("list", "--json"))
    assert ["NAME     VERSIONS  LABELS", "colours  1, 2      stable=1", "other    1         -"] == run(
        "list"
    ).output.splitlines()


def test_a_promotion_says_what_is_so_now_and_whether_it_was(run: Run, stored_colours: Stored) -> None:
    """The event has who and why."""
    stored_colours(2)
    first = document(run("promote", "colours", "1", "--json", "--reason", "better", "--by", "ann"))
    again = run("promote", "colours", "1")

    assert first["changed"]
    assert ("promoted", 1, "better", "ann") == tuple(
        first["event"][key] for key in ("action", "version", "reason", "by")
    )
    assert "colours: stable names version 1, as before: nothing was recorded.\n" == again.output


def test_a_version_may_be_given_by_its_label(run: Run, stored_colours: Stored) -> None:
    """The usual end of a canary."""
    stored_colours(2)
    run("promote", "colours", "1")
    run("promote", "colours", "2", "--label", "canary")
    assert "colours: stable names version 2.\n" == run("promote", "colours", "canary").output
    assert "colours: stable names version 1 again.\n" == run("rollback", "colours").output
    assert "colours: no version is canary any more.\n" == run("unlabel", "colours", "canary").output


def test_show_tells_contracts_and_history(run: Run, stored_colours: Stored) -> None:
    """Without the golden picture, which nobody reads."""
    model = stored_colours(2)
    for version in ("1", "2"):
        run("promote", "colours", version, "--reason", "two\nlines", "--by", "ann")
    facts = document(run("show", "colours", "--json"))
    lines = run("show", "colours").output.splitlines()
    alone = document(run("show", "colours", "stable", "--json"))

    assert {"stable": 2} == facts["labels"]
    assert 1 == facts["stable_before"]
    assert [2] == [one["version"] for one in alone["versions"]]
    assert model.contract(2).digest() == alone["versions"][0]["digest"]
    assert len(model.history()) == len(facts["history"])
    assert "A rollback goes to version 1." in lines
    assert any(line.split()[2:6] == ["promoted", "2", "stable=2", "ann"] for line in lines)
    assert any(line.endswith("two lines") for line in lines)


def test_damage_is_found_and_told_by_the_exit_code(run: Run, stored_colours: Stored) -> None:
    """Each version is looked at."""
    folder = stored_colours(2).folder(1)
    assert folder is not None
    assert 0 == run("verify", "colours").exit_code
    (folder / "saved_model.pb").write_text("changed")
    found = run("verify", "colours", "--json")

    assert 1 == found.exit_code
    assert [(1, False), (2, True)] == [(one["version"], one["whole"]) for one in json.loads(found.stdout)]


def test_what_the_store_warns_of_is_printed_with_its_reason(
    run: Run, stored_colours: Stored, tmp_path: Path
) -> None:
    """Beside the answer, so that programs can read that."""
    stored_colours(2)
    (tmp_path / "store" / "colours" / ".history" / "00000001.json").write_text("{torn")
    shown = run("show", "colours", "--json")

    assert [2] == [event["sequence"] for event in document(shown)["history"]]
    assert "pictor models: event left out: reason " in shown.stderr
    assert "00000001.json cannot be read" in shown.stderr


def test_pruning_tells_what_is_gone(run: Run, stored_colours: Stored) -> None:
    """And what is left."""
    stored_colours(3)

    assert {"removed": [1, 2], "versions": [3]} == document(run("prune", "colours", "--keep", "1", "--json"))
    assert "colours: there is nothing to remove.\n" == run("prune", "colours", "--keep", "1").output


def test_the_configuration_is_printed(run: Run, stored_colours: Stored) -> None:
    """As servers will see the store."""
    stored_colours(2)
    stored_colours(1, "other")
    run("promote", "colours", "1")
    text = run("config", "--base-path", "/models").stdout

    assert 'base_path: "/models/colours"' in text
    assert "versions: 1" in text
    assert 'key: "stable"' in text
    assert "num_versions: 1" in text


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("promote", "colour", "1"), 1, "Did you mean colours?"),
        (("promote", "xyz", "1"), 1, "There are: colours."),
        (("promote", "colours", "7"), 1, "There are: 1."),
        (("promote", "colours", "gold"), 1, "no label 'gold'. There are: none."),
        (("promote", "colours", "9" * 5000), 1, "9'. There are: none."),
        (("rollback", "colours"), 1, "nothing to go back to"),
        (("promote", "colours", "1", "--tfs", "http://tfs:8501"), 2, "is a URL"),
        (("promote", "colours", "1", "--base-path", "models"), 2, "as TensorFlow Serving sees it"),
        (("promote", "colours", "1", "--tfs-ca-file", "ca.pem"), 2, "need --tfs-tls"),
        (("prune", "colours", "--keep", "0"), 2, "keep"),
        (("sync",), 2, "Say who is to follow"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: tuple[str, ...], code: int, told: str, run: Run, stored_colours: Stored
) -> None:
    """And told by the exit code."""
    stored_colours(1)
    result = run(*words)

    assert code == result.exit_code
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_locked_model_ends_with_a_code_of_its_own(
    run: Run, stored_colours: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a job can try again later."""
    stored_colours(1)
    wait = StoredModel.lock
    monkeypatch.setattr(StoredModel, "lock", lambda self, wait_s=0.05: wait(self, wait_s))
    with open_store(tmp_path / "store").model("colours").lock():
        assert 5 == run("promote", "colours", "1").exit_code


def test_a_store_in_object_storage_is_used_like_a_folder(
    bucket: Any, stored_colours: Stored, tmp_path: Path
) -> None:
    """By its URL; the servers are told the same one."""
    folder = stored_colours(2)
    remote = open_store("bucket://models").model("colours")
    for number in (1, 2):
        source = folder.folder(number)
        assert source is not None
        remote.publish(source)
    done = CliRunner().invoke(models, ["promote", "colours", "2", "--store", "bucket://models"])
    text = CliRunner().invoke(models, ["config", "--store", "bucket://models"]).stdout

    assert "colours: stable names version 2.\n" == done.output
    assert 'base_path: "bucket://models/colours"' in text
