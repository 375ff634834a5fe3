"""Sentences, tables and thumbnails."""

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pictor_training.evaluation import Evaluation, evaluate
from pictor_training.report import ReportFacts
from pictor_training.report.tables import Confused, facts_of, most_confused
from pictor_training.report.thumbnail import png_uri
from pictor_training.report.words import cautions, conclusions, duration, percent

MakeFacts = Callable[..., ReportFacts]


def _evaluated(truth: list[int], answer: list[int], sureness: float = 0.9) -> Evaluation:
    scores = np.full((len(truth), 3), (1 - sureness) / 2)
    scores[np.arange(len(truth)), answer] = sureness
    return evaluate(scores, np.eye(3, dtype=np.float32)[truth], ("a", "b", "c"), "multiclass", seed=1)


def _cautions(make_facts: MakeFacts, test: Evaluation, **others: object) -> str:
    quiet = {"audit_warnings": [], "history": [], **others}
    return " ".join(cautions(make_facts("multiclass", ("a", "b", "c"), test=test, **quiet)))


def test_sound_figures_need_no_caution(make_facts: MakeFacts) -> None:
    """Ninety pictures, all classes, nearly all right, sure of it."""
    truth = [0, 1, 2] * 30
    test = _evaluated(truth, [*truth[:88], 0, 0], sureness=0.97)
    assert _cautions(make_facts, test) == ""


def test_warnings_of_the_audit_come_first(make_facts: MakeFacts) -> None:
    """As whole sentences, unchanged."""
    facts = make_facts("multiclass", ("a", "b", "c"))
    assert cautions(facts)[0] == "Two pictures are the same."


def test_a_small_test_set_is_named(make_facts: MakeFacts) -> None:
    """Six pictures know nothing for sure, least of all about a class without a picture."""
    found = _cautions(make_facts, _evaluated([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]))
    assert "6 held-out pictures are few" in found
    assert "No held-out picture shows “c”" in found
    assert "Fewer than 10 held-out pictures show “a”, “b”" in found


def test_a_model_that_only_knows_the_commonest_class_is_unmasked(make_facts: MakeFacts) -> None:
    """80 % right is nothing where 80 % of the pictures are of one class."""
    found = _cautions(make_facts, _evaluated([0] * 80 + [1] * 10 + [2] * 10, [0] * 100))
    assert "not clearly better than always answering “a”" in found


def test_scores_that_do_not_mean_what_they_say_are_named(make_facts: MakeFacts) -> None:
    """Always 99 % sure, half of it wrong."""
    found = _cautions(make_facts, _evaluated([0, 1] * 50, [0, 0] * 50, sureness=0.99))
    assert "do not read a score as a probability" in found


def test_training_too_short_or_learnt_by_heart_is_named(make_facts: MakeFacts) -> None:
    """The last epoch was the best; training accuracy far above validation accuracy."""
    rows = [{"epoch": epoch, "loss": 0.1, "accuracy": 0.99, "val_accuracy": 0.7} for epoch in (1, 2)]
    found = _cautions(make_facts, _evaluated([0], [0]), history=rows, best_epoch=2)
    assert "training longer may still help" in found
    assert f"29.0{chr(160)}% above validation accuracy" in found


def test_the_weakest_class_is_named_with_its_counts(make_facts: MakeFacts) -> None:
    """Only if there is one."""
    weak = _evaluated([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 1])
    facts = make_facts("multiclass", ("a", "b", "c"), test=weak)
    assert conclusions(facts)[-1] == (
        "The weakest class is “c”: 1 of its 2 pictures were found, "
        "and 1 of the 1 pictures that got this label have it."
    )
    perfect = make_facts("multiclass", ("a", "b", "c"), test=_evaluated([0, 1, 2], [0, 1, 2]))
    assert len(conclusions(perfect)) == 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (59.7, "1 min 0 s"), (131.4, "2 min 11 s"), (7325, "2 h 2 min")]
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    """The two largest units."""
    assert duration(seconds) == text


def test_what_is_undefined_is_a_dash() -> None:
    """Not zero, not None."""
    assert percent(None) == "\N{EN DASH}"


def test_the_pairs_mixed_up_most_often_come_first() -> None:
    """With their share of the true class."""
    found = most_confused(_evaluated([0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 1, 2]))
    assert found == [Confused("a", "b", 2, 2 / 3), Confused("b", "a", 1, 0.5)]


def test_plain_data_of_any_depth_becomes_names_and_texts() -> None:
    """Numbers are short, lists are cut and say by how much, empty things are none."""
    outer, long, nothing, number = facts_of(
        {"outer_name": {"my_class": True}, "long": list(range(25)), "nothing": [], "number": 1 / 3}
    )
    assert (outer.name, outer.inner[0].name, outer.inner[0].text) == ("outer name", "my_class", "yes")
    assert long.text.endswith("19, and 5 more")
    assert (nothing.text, number.text) == ("none", "0.3333")


def test_a_hundred_classes_in_an_audit_are_cut() -> None:
    """Twenty entries of any mapping or list of lists, then how many there are more."""
    classes, groups = facts_of({"counts": {f"class {i}": i for i in range(100)}, "groups": [["a", "b"]] * 22})
    assert (len(classes.inner), classes.inner[-1].text) == (21, "and 80 more")
    assert (len(groups.inner), groups.inner[-1].text) == (21, "and 2 more")


@pytest.mark.parametrize(("shape", "size"), [((8, 8, 1), (8, 8)), ((300, 150, 3), (64, 128))])
def test_thumbnails_keep_small_pictures_and_shrink_large_ones(
    shape: tuple[int, int, int], size: tuple[int, int]
) -> None:
    """Grey and colour; the data URI is a PNG."""
    uri = png_uri(np.full(shape, 200, np.uint8))
    picture = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert (picture.size, picture.format) == (size, "PNG")
    assert picture.getextrema() in ((200, 200), ((200, 200),) * 3)
