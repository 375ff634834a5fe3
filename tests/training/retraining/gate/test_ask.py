"""The gate as a whole: who is promoted, who is held, who is rejected, and what is said about it."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from colours import COLOURS
from painted import CHALLENGER, EARLIER, STABLE, Model, World, answers, check_of, objecting
from pictor_contract import PictureInput
from pictor_contract.artifact import CONTRACT_FILE, ONNX_FILE

Paint = Callable[..., World]
ANY_SCORE = {"max_calibration_error": 1.0, "max_calibration_regression": 1.0}
TRUTH = [COLOURS[number % 3] for number in range(60)]


def _wrong(wrong: dict[int, range | list[int]]) -> dict[int, list[str]]:
    return {place: answers(TRUTH, list(numbers)) for place, numbers in wrong.items()}


def test_a_better_challenger_is_promoted(world: Paint) -> None:
    """Fewer mistakes, all else equal: nothing objects, and the verdict is plain JSON."""
    here = world(TRUTH, _wrong({CHALLENGER: range(2), STABLE: range(6)}), known=range(60))
    verdict = here.asked()
    assert ("PROMOTE", (), 9) == (verdict.decision, verdict.reasons, verdict.champion)
    told = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    (champion,) = told["figures"]["champions"]
    assert {"pictures": 60, "lost": 0, "won": 4} == {
        key: champion["groups"]["known"][key] for key in ("pictures", "lost", "won")
    }
    assert ["röd", "green", "blue"] == [one["label"] for one in champion["classes"]]


def test_a_challenger_that_loses_more_than_the_margin_is_held(world: Paint) -> None:
    """One picture of 60 is more than 1 %: held, with both accuracies and the counts in the reason."""
    here = world(TRUTH, _wrong({CHALLENGER: range(3), STABLE: range(2)}), known=range(60))
    verdict = here.asked()
    assert "HOLD" == verdict.decision
    assert ["known pictures: no worse than version 9"] == objecting(verdict)
    assert "96.7 % to 95.0 % of 60" in verdict.reasons[0]
    assert "gate.max_regression allows 1.0 %, less than one of so few" in verdict.reasons[0]
    assert "PROMOTE" == here.asked(max_regression=0.02).decision


def test_a_mislabelled_batch_buys_no_promotion(world: Paint) -> None:
    """On new pictures the challenger repeats the wrong labels it learnt; the known ones tell."""
    said = _wrong({CHALLENGER: range(4), STABLE: range(40, 60)})
    verdict = world(TRUTH, said, known=range(40)).asked()
    assert "HOLD" == verdict.decision
    assert "passed" == check_of(verdict, "new pictures").outcome
    assert "passed" == check_of(verdict, "all pictures").outcome
    assert "hold" == check_of(verdict, "known pictures").outcome


def test_a_loss_on_few_new_pictures_is_no_evidence(world: Paint) -> None:
    """One of five new ones lost, two known ones won: within the margin all in all, so nothing objects."""
    said = _wrong({CHALLENGER: [59], STABLE: [0, 1]})
    assert "PROMOTE" == world(TRUTH, said, known=range(55)).asked().decision


def test_a_fall_on_new_pictures_beyond_chance_is_held(world: Paint) -> None:
    """What is won on known pictures does not pay for all of the new ones."""
    said = _wrong({CHALLENGER: range(50, 60), STABLE: range(12)})
    verdict = world(TRUTH, said, known=range(50)).asked(max_class_regression=1.0, **ANY_SCORE)
    assert ["new pictures: no worse than version 9"] == objecting(verdict)


def test_without_known_pictures_it_is_said_so(world: Paint) -> None:
    """Nobody wrote down what was held out: all decide, and the verdict says what that means."""
    verdict = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), learnt=None).asked()
    assert "PROMOTE" == verdict.decision
    assert "skipped" == check_of(verdict, "known pictures").outcome
    assert "mislabelled" in check_of(verdict, "known pictures").reason
    assert "skipped" == check_of(verdict, "pictures that version 9 knows by heart").outcome


def test_pictures_that_the_champion_knows_by_heart_do_not_count(world: Paint) -> None:
    """Its right answers on what it was trained on are no merit."""
    said = _wrong({CHALLENGER: range(20), STABLE: []})
    verdict = world(TRUTH, said, known=range(20, 60), learnt=range(20)).asked(**ANY_SCORE)
    assert "PROMOTE" == verdict.decision
    assert {"known_by_heart": 20, "labels_it_never_had": 0, "unreadable": 0} == (
        verdict.figures["champions"][0]["left_out"]
    )


def test_too_few_comparable_pictures_hold(world: Paint) -> None:
    """Five pictures that neither was trained on say nothing, however they turn out."""
    said = _wrong({CHALLENGER: [], STABLE: range(60)})
    verdict = world(TRUTH, said, learnt=range(55)).asked()
    assert ["pictures to compare with version 9"] == objecting(verdict)
    assert "known by heart 55" in verdict.reasons[0]


def test_small_falls_do_not_add_up(world: Paint) -> None:
    """Within the margin of the stable version, but not of the best one before it: held."""
    said = _wrong({CHALLENGER: range(4), STABLE: range(3), EARLIER: range(2)})
    verdict = world(TRUTH, said, known=range(60)).asked(max_regression=0.02)
    assert ["known pictures: no worse than version 8"] == objecting(verdict)


def test_a_first_model_needs_only_to_meet_the_limits(world: Paint) -> None:
    """No champion, no comparison; said so."""
    verdict = world(TRUTH, _wrong({CHALLENGER: range(6)})).asked()
    assert ("PROMOTE", None) == (verdict.decision, verdict.champion)
    assert "skipped" == check_of(verdict, "champion").outcome


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"min_accuracy": 0.95}, "accuracy"),
        ({"min_class_recall": 0.95}, "recall of every class"),
        ({"min_pictures": 61}, "held-out pictures"),
        ({"max_size_bytes": 100}, "size"),
        ({"max_latency_ms": 1e-6}, "latency"),
        ({"max_calibration_error": 0.01}, "calibration"),
    ],
)
def test_each_limit_holds(world: Paint, config: dict[str, object], name: str) -> None:
    """A first model with 6 of 60 wrong, surer than it is right, against one limit at a time."""
    assert [name] == objecting(world(TRUTH, _wrong({CHALLENGER: range(6)})).asked(**config))


def test_a_model_that_always_says_the_same_is_held(world: Paint) -> None:
    """However common that answer is: 54 of 60 right, and nothing learnt."""
    truth = ["green"] * 54 + ["blue"] * 6
    verdict = world(truth, {CHALLENGER: ["green"] * 60}).asked()
    assert ["better than guessing"] == objecting(verdict)


def test_a_class_of_five_that_is_no_more_found_holds(world: Paint) -> None:
    """5 of 5 to 0 of 5, made good elsewhere."""
    truth = ["green"] * 100 + ["blue"] * 100 + ["röd"] * 5
    said = {CHALLENGER: answers(truth, range(200, 205)), STABLE: answers(truth, range(10))}
    verdict = world(truth, said, known=range(205)).asked()
    assert ["every class: no worse than version 9"] == objecting(verdict)
    assert "“röd” 5 to 0 of 5 known pictures" in verdict.reasons[0]


def test_a_class_as_weak_as_the_champions_is_excused(world: Paint) -> None:
    """A limit on recall blocks no model for a class that the champion did not find either."""
    said = _wrong({CHALLENGER: range(0, 60, 3), STABLE: range(0, 60, 3)})
    here = world(TRUTH, said, known=range(60))
    assert "PROMOTE" == here.asked(min_class_recall=0.5, max_calibration_error=1.0).decision


def test_a_new_label_is_compared_on_the_old_ones(world: Paint) -> None:
    """The champion cannot know it: its pictures are left out; a wrong "new label" counts as wrong."""
    labels = ("röd", "green")
    said = {
        CHALLENGER: ["blue" if number in (0, 3, 6) else one for number, one in enumerate(TRUTH)],
        STABLE: [one if one in labels else "green" for one in TRUTH],
    }
    models = {STABLE: Model(STABLE, labels, "binary")}
    here = world(TRUTH, said, models=models, known=range(60))
    verdict = here.asked(new_labels="allow", **ANY_SCORE)
    (champion,) = verdict.figures["champions"]
    assert (["blue"], 20) == (champion["new_labels"], champion["left_out"]["labels_it_never_had"])
    assert (40, 3, 0) == tuple(champion["groups"]["known"][key] for key in ("pictures", "lost", "won"))
    assert (40, 3, 0) == tuple(champion["risk"][key] for key in ("pictures", "lost", "won"))
    assert ["known pictures: no worse than version 9"] == objecting(verdict)


@pytest.mark.parametrize("before", [("green", "röd"), ("röd", "green"), ("green", "blue")])
def test_a_new_label_is_held_until_it_is_allowed(world: Paint, before: tuple[str, ...]) -> None:
    """The reason says what to set; nothing else is needed, wherever the new label stands among the others."""
    said = {CHALLENGER: TRUTH, STABLE: [one if one in before else before[0] for one in TRUTH]}
    labels = tuple(label for label in COLOURS if label in before)
    here = world(TRUTH, said, models={STABLE: Model(STABLE, labels, "binary")}, known=range(60))
    verdict = here.asked()
    assert ["new labels"] == objecting(verdict)
    assert "gate.new_labels: allow" in verdict.reasons[0]
    assert "PROMOTE" == here.asked(new_labels="allow").decision


def test_a_known_class_under_a_new_name_is_held(world: Paint) -> None:
    """Its pictures are found under the old name: nothing known is lost, and yet both would get worse."""
    truth = [one for one in TRUTH if one != "blue"] + ["blue"] * 3
    said = {CHALLENGER: [*truth[:-3], "green", "green", "blue"], STABLE: [*truth[:-3], *["green"] * 3]}
    models = {STABLE: Model(STABLE, ("röd", "green"), "binary")}
    here = world(truth, said, models=models, known=range(40))
    verdict = here.asked(new_labels="allow", **ANY_SCORE)
    assert ["new labels are found"] == objecting(verdict)
    assert "“blue” 1 of 3" in verdict.reasons[0]
    assert "PROMOTE" == here.asked(new_labels="allow", min_new_recall=0.3, **ANY_SCORE).decision


def test_a_label_that_is_gone_must_be_declared(world: Paint) -> None:
    """Callers may rely on it."""
    truth = [label for label in TRUTH if label != "blue"]
    said = {CHALLENGER: answers(truth), STABLE: answers(truth)}
    models = {CHALLENGER: Model(CHALLENGER, ("röd", "green"), "binary")}
    here = world(truth, said, models=models, known=range(40))
    assert ["removed labels"] == objecting(here.asked())
    assert "PROMOTE" == here.asked(removed_labels="allow").decision


def test_another_input_must_be_declared_and_is_decoded_anew(world: Paint) -> None:
    """The champion sees each file as its own contract says, and is as right as ever."""
    models = {STABLE: Model(STABLE, input=PictureInput(height=16, width=32))}
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: [5]}), models=models, known=range(60))
    verdict = here.asked()
    assert ["contract"] == objecting(verdict)
    assert "input.height from 16 to 8" in verdict.reasons[0]
    assert 59 == verdict.figures["champions"][0]["groups"]["known"]["champion_right"]
    assert "PROMOTE" == here.asked(contract_change="allow").decision


def test_a_file_that_is_another_by_now_is_left_out(world: Paint) -> None:
    """Only where the champion needs it; it is counted."""
    models = {STABLE: Model(STABLE, input=PictureInput(height=16, width=16))}
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), models=models, known=range(60))
    here.file(3).write_bytes(here.file(4).read_bytes())
    here.file(7).unlink()
    verdict = here.asked(contract_change="allow")
    assert ("PROMOTE", 2) == (verdict.decision, verdict.figures["champions"][0]["left_out"]["unreadable"])


def test_several_labels_a_picture_count_when_all_are_right(world: Paint) -> None:
    """As evaluation counts them: one missed label is a picture lost."""
    truth = ["röd+green", "blue", "green+blue", ""] * 15
    missed = ["röd" if number < 4 and one == "röd+green" else one for number, one in enumerate(truth)]
    models = {place: Model(place, head="multilabel") for place in (CHALLENGER, STABLE)}
    here = world(truth, {CHALLENGER: missed, STABLE: truth}, models=models, known=range(60))
    verdict = here.asked()
    assert (60, 1, 0) == tuple(
        verdict.figures["champions"][0]["groups"]["known"][key] for key in ("pictures", "lost", "won")
    )
    assert ["known pictures: no worse than version 9"] == objecting(verdict)


def test_a_damaged_stable_version_holds_unless_allowed(world: Paint) -> None:
    """It must be said, and must not block a better model for ever."""
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), known=range(60))
    (here.champions[0].folder / ONNX_FILE).write_bytes(b"half")
    assert ["version 9 answers"] == objecting(here.asked())
    assert "gate.champion_unreadable" in here.asked().reasons[0]
    allowed = here.asked(champion_unreadable="allow")
    assert ("PROMOTE", "skipped") == (allowed.decision, check_of(allowed, "version 9 answers").outcome)


def test_a_version_without_contract_counts_as_damaged(world: Paint) -> None:
    """Whoever could not read it hands over None."""
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), known=range(60))
    here.champions[0] = replace(here.champions[0], contract=None)
    assert ["version 9 answers"] == objecting(here.asked())


def test_a_damaged_earlier_version_holds_nobody(world: Paint) -> None:
    """It is said, and the stable one decides."""
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: [], EARLIER: []}), known=range(60))
    (here.champions[1].folder / ONNX_FILE).unlink()
    verdict = here.asked()
    assert ("PROMOTE", "skipped") == (verdict.decision, check_of(verdict, "version 8 answers").outcome)


@pytest.mark.parametrize("file", [ONNX_FILE, CONTRACT_FILE])
def test_a_damaged_challenger_is_rejected(world: Paint, file: str) -> None:
    """Nothing more is asked of it."""
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}))
    (here.exported.artifact / file).write_bytes(b"half")
    verdict = here.asked()
    assert ("REJECT", ["exported model"]) == (verdict.decision, [check.name for check in verdict.checks])


def test_a_challenger_that_is_not_the_one_that_was_judged_is_rejected(world: Paint) -> None:
    """The figures would be another model's."""
    here = world(TRUTH, _wrong({CHALLENGER: []}))
    here.exported.judgement.scores = np.roll(here.exported.judgement.scores, 1, axis=0)
    assert "REJECT" == here.asked().decision


def test_a_larger_version_is_held(world: Paint) -> None:
    """Ten times the stable one's size, where two are allowed."""
    models = {CHALLENGER: Model(CHALLENGER, ballast=100_000)}
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), models=models, known=range(60))
    assert ["size beside the stable version"] == objecting(here.asked())
    assert "PROMOTE" == here.asked(max_size_ratio=None).decision


def test_scores_that_became_less_honest_are_held(world: Paint) -> None:
    """As right as the champion, but far less sure than it is right."""
    models = {CHALLENGER: Model(CHALLENGER, sharpness=1.0)}
    here = world(TRUTH, _wrong({CHALLENGER: [], STABLE: []}), models=models, known=range(60))
    found = objecting(here.asked(max_calibration_error=1.0))
    assert ["calibration: no worse than version 9"] == found


def test_one_version_is_said_as_one(world: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is for people."""
    lines: list[str] = []
    here = world(TRUTH, _wrong({CHALLENGER: range(2), STABLE: range(6)}))
    monkeypatch.setattr(here.exported.stages, "line", lines.append)
    here.asked()
    assert lines[0].endswith(", 1 version to compare with")
