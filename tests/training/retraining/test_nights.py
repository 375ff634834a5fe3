"""What one night makes of what the day brought."""

import shutil
from types import SimpleNamespace

import pytest

from nights import Nights, hold_all, write_pictures
from pictor_store.changes import rollback
from pictor_training.errors import ConfigError, DataError
from pictor_training.retraining.contents import read_contents


def _labels(nights: Nights) -> dict[str, int]:
    return dict(nights.model.labels())


def test_the_first_night_makes_the_first_version_stable(nights: Nights) -> None:
    """Nobody stands there to be compared with; the version is published, labelled and told."""
    outcome = nights.run()
    assert (0, {"stable": 1}, [1]) == (outcome.exit_code, _labels(nights), nights.model.versions())
    assert "version 1 is stable" in outcome.lines[0]
    verdict = nights.verdict()
    assert ("PROMOTE", None, 1, "stable") == tuple(
        verdict[key] for key in ("decision", "champion", "version", "label")
    )


def test_a_night_without_news_trains_nothing(served: Nights) -> None:
    """It says so, exits with 0, and leaves every file of runs and store as it is."""
    before = sorted(path for path in served.folder.rglob("*") if "retrain.yaml" not in path.name)

    def never(*_: object) -> None:
        pytest.fail("there was nothing to train")

    outcome = served.with_tools(train=never, ask=never, promote=never).run()
    assert 0 == outcome.exit_code
    assert "Nothing new" in outcome.lines[0]
    assert before == sorted(path for path in served.folder.rglob("*") if "retrain.yaml" not in path.name)


def test_moved_files_and_new_times_are_no_news(served: Nights) -> None:
    """Contents and labels count, not where the files lie or when they were touched."""
    for number, path in enumerate(sorted((served.pictures / "red").iterdir())):
        path.rename(path.with_name(f"moved-{number}.png")).touch()
    assert "Nothing new" in served.run().lines[0]


def test_new_pictures_make_the_next_version(served: Nights) -> None:
    """The run's contents name each picture with its side and its source."""
    write_pictures(served.pictures, "red", 12, 100)
    assert 0 == served.run().exit_code
    assert {"stable": 2} == _labels(served)
    lines = (served.last_run() / "contents.csv").read_text().splitlines()
    assert ("sha256,label,side,source", 72) == (lines[0], len(lines) - 1)
    contents = read_contents(served.last_run() / "contents.csv")
    assert contents is not None
    assert 72 == len(contents.trained_on) + len(contents.held_out)


def test_other_settings_of_the_training_are_news(served: Nights) -> None:
    """The same pictures with another seed make another model."""
    assert 0 == served.run("train.seed=7").exit_code
    assert {"stable": 2} == _labels(served)


def test_what_was_held_is_not_trained_again(served: Nights) -> None:
    """The second night exits with 0; the champion has stayed, and nothing was published."""
    write_pictures(served.pictures, "red", 12, 100)
    held = served.with_tools(ask=hold_all)
    assert (3, {"stable": 1}, [1]) == (held.run().exit_code, _labels(served), served.model.versions())
    assert "It is not good enough." in held.verdict()["reasons"]
    quiet = held.run()
    assert (0, True) == (quiet.exit_code, "held back" in quiet.lines[0])
    assert not (held.last_run() / "artifact").exists()


def test_what_was_held_is_judged_again_by_other_limits(served: Nights) -> None:
    """Who relaxes the gate wants to know what it says now."""
    write_pictures(served.pictures, "red", 12, 100)
    served.with_tools(ask=hold_all).run()
    assert 0 == served.run("gate.max_regression=0.5").exit_code
    assert {"stable": 2} == _labels(served)


def test_a_rollback_is_not_undone_by_the_next_night(served: Nights) -> None:
    """The same pictures would only bring back what somebody has withdrawn."""
    write_pictures(served.pictures, "red", 12, 100)
    served.run()
    rollback(served.model)
    assert "Nothing new" in served.run().lines[0]
    assert {"stable": 1} == _labels(served)


def test_a_mislabelled_batch_is_left_out_and_said_once(served: Nights) -> None:
    """The champion contradicts it: exit code 4, then quiet nights, and the file says which pictures."""
    write_pictures(served.pictures, "red", 12, 100, label="green")
    with pytest.raises(DataError, match=r"in quarantine; .*quarantine.csv"):
        served.run()
    assert "agrees with 0 of their labels" in served.lines[0]
    quiet = served.run()
    assert (0, "12 pictures are in quarantine.") == (quiet.exit_code, quiet.lines[1])
    assert 13 == len((served.runs / ".retrain-colours" / "quarantine.csv").read_text().splitlines())


def test_good_pictures_are_learnt_from_beside_a_mislabelled_batch(served: Nights) -> None:
    """The run has the good ones alone, and its verdict tells of the others."""
    write_pictures(served.pictures, "red", 12, 100, label="green")
    write_pictures(served.pictures, "blue", 12, 100)
    assert 0 == served.run().exit_code
    collected = served.verdict()["collected"]
    assert (72, 12, 12, 1) == (
        collected["pictures"],
        collected["new"],
        collected["quarantined"],
        len(collected["distrusted"]),
    )
    assert 13 == len((served.last_run() / "quarantine.csv").read_text().splitlines())


def test_copies_of_known_pictures_under_another_label_do_no_harm(served: Nights) -> None:
    """Otherwise the audit would find the labels in conflict and drop the good pictures with the bad."""
    for path in (served.pictures / "red").iterdir():
        shutil.copy(path, served.pictures / "green" / f"copy-{path.name}")
    with pytest.raises(DataError, match="in quarantine"):
        served.run()


def test_a_few_copies_under_another_label_are_left_out(served: Nights) -> None:
    """Also under a new label, which the champion cannot judge; without the old file the new label counts."""
    there = sorted((served.pictures / "red").iterdir())[:4]
    for label, path in zip(("green", "green", "new", "new"), there, strict=True):
        (served.pictures / label).mkdir(exist_ok=True)
        shutil.copy(path, served.pictures / label / f"copy-{path.name}")
    for _ in range(2):
        assert "Nothing new" in served.run().lines[0]
        assert any("4 files show what is known under another label" in line for line in served.lines)
    there[0].unlink()
    assert 0 == served.run().exit_code
    assert 60 == served.verdict()["collected"]["pictures"]
    assert f"{there[0].name}" in (served.last_run() / "manifest.csv").read_text()


@pytest.mark.parametrize("accept", ["*", "each"])
def test_the_owner_can_vouch_for_labels(served: Nights, accept: str) -> None:
    """collect.accept takes all, or the named contents; they stay accepted without it."""
    write_pictures(served.pictures, "red", 12, 100, label="green")
    with pytest.raises(DataError):
        served.run()
    rows = (served.runs / ".retrain-colours" / "quarantine.csv").read_text().splitlines()[1:]
    wanted = ["*"] if accept == "*" else [row.partition(",")[0] for row in rows]
    assert 0 == served.run(f"collect.accept={wanted}").exit_code
    assert 72 == served.verdict()["collected"]["pictures"]
    assert "Nothing new" in served.run().lines[0]


def test_a_later_champion_releases_what_it_agrees_with(served: Nights) -> None:
    """The pictures in quarantine are asked about again, once for each champion."""
    write_pictures(served.pictures, "red", 12, 100, label="green")
    with pytest.raises(DataError):
        served.run()
    write_pictures(served.pictures, "blue", 12, 100)
    served.run()
    agreeing = served.with_tools(answering=lambda _, __, pictures: [one.labels for one in pictures])
    assert 0 == agreeing.run().exit_code
    assert (84, 0) == tuple(agreeing.verdict()["collected"][key] for key in ("pictures", "quarantined"))


def test_few_new_pictures_are_used_and_judged_when_there_are_enough(served: Nights) -> None:
    """Nine are no group; with three more of their kind they are, and all twelve are left out."""
    write_pictures(served.pictures, "red", 9, 100, label="green")
    held = served.with_tools(ask=hold_all)
    assert 3 == held.run().exit_code
    assert 9 == held.verdict()["collected"]["new"]
    write_pictures(served.pictures, "red", 3, 200, label="green")
    with pytest.raises(DataError, match="in quarantine"):
        held.run()
    quiet = held.run()
    assert ("12 pictures are in quarantine.", {"stable": 1}) == (quiet.lines[1], _labels(served))


def test_a_broken_batch_is_left_out_and_said(served: Nights) -> None:
    """Files that are no pictures are nothing to learn from; the night is quiet."""
    for number in range(5):
        (served.pictures / "red" / f"broken-{number}.png").write_bytes(b"\x89PNG" + bytes([number]))
    outcome = served.run()
    assert (0, True) == (outcome.exit_code, "Nothing new" in outcome.lines[0])
    assert any("5 files cannot be decoded" in line for line in served.lines)


def test_a_class_that_vanishes_stops_the_night(served: Nights) -> None:
    """Unless it is said to be meant; then the gate lets it go, too."""
    shutil.rmtree(served.pictures / "blue")
    with pytest.raises(DataError, match="class 'blue' has vanished"):
        served.run()
    assert 0 == served.run("collect.removed_labels=[blue]").exit_code
    assert "green,red" == served.served()


def test_a_large_loss_stops_the_night(served: Nights) -> None:
    """A fifth of all pictures, more than half of a class; the message says what lets them go."""
    for path in sorted((served.pictures / "blue").iterdir())[:12]:
        path.unlink()
    with pytest.raises(DataError, match=r"12 of the 60 pictures of all classes .* collect\.max_loss=0\.2"):
        served.run()
    with pytest.raises(
        DataError, match=r"12 of the 20 pictures of the class 'blue' .* collect\.max_class_loss=0\.6"
    ):
        served.run("collect.max_loss=0.3")
    assert 0 == served.run("collect.max_loss=0.3", "collect.max_class_loss=0.61").exit_code


def test_all_pictures_may_be_replaced_where_that_is_said(served: Nights) -> None:
    """As when somebody exports the whole set anew."""
    shutil.rmtree(served.pictures)
    for colour in ("red", "green", "blue"):
        write_pictures(served.pictures, colour, 20, 500)
    with pytest.raises(DataError, match=r"collect\.max_loss=1\.00"):
        served.run()
    assert 0 == served.run("collect.max_loss=1.0", "collect.max_class_loss=1.0").exit_code


def test_a_batch_that_its_owner_throws_away_stops_no_night(served: Nights) -> None:
    """A quarter of one class is few of all."""
    for path in sorted((served.pictures / "blue").iterdir())[:5]:
        path.unlink()
    assert 0 == served.run().exit_code


def test_an_empty_source_stops_the_night_unless_it_is_optional(served: Nights) -> None:
    """A mount that failed looks like that."""
    (served.folder / "more").mkdir()
    served.settings["sources"] = [{"folder": "pictures"}, {"folder": "more"}]
    with pytest.raises(DataError, match="more"):
        served.run()
    served.settings["sources"][1]["optional"] = True
    assert "Nothing new" in served.run().lines[0]


def test_a_source_that_is_missing_stops_the_night(served: Nights) -> None:
    """The message names it."""
    served.pictures.rename(served.folder / "elsewhere")
    with pytest.raises(DataError, match="pictures"):
        served.run()


def test_drift_decides_where_gateways_are_named(served: Nights) -> None:
    """Without drift there is nothing to do, whatever is new; the first version waits for none."""
    asked: list[object] = []

    def calm(*question: object) -> SimpleNamespace:
        asked.append(question)
        return SimpleNamespace(drifted=False, sentence=lambda: "no drift")

    write_pictures(served.pictures, "red", 12, 100)
    quiet = served.with_tools(drifted=calm).run("drift.gateways=['http://gateway']")
    assert (0, "no drift") == (quiet.exit_code, quiet.lines[0].removeprefix("Nothing to do: "))
    assert [(["http://gateway"], "colours", 0.2, 10.0)] == asked
    assert {"stable": 1} == _labels(served)


def test_a_label_that_no_manifest_can_hold_is_refused(nights: Nights) -> None:
    """The folder is named, and what is wrong with it."""
    write_pictures(nights.pictures, "red", 3, 500, label="a|b")
    with pytest.raises(DataError, match=r"a\|b"):
        nights.run()


def test_the_configuration_is_checked_before_anything_is_done(nights: Nights) -> None:
    """Nothing is made."""
    with pytest.raises(ConfigError, match=r"collect\.max_loss"):
        nights.run("collect.max_los=0.3")
    assert not nights.runs.exists()
