"""Which groups of new labels the champion contradicts too often to be chance."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy.stats import binom

from pictor_training.retraining.collecting.known import Known
from pictor_training.retraining.collecting.label_check import Judge, check_labels, lower_tail
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.config import CollectConfig

Said = tuple[str, ...] | None


def _pictures(count: int, label: str = "cat", source: str = "a", start: int = 0) -> list[Picture]:
    return [
        Picture(Path(f"{source}/{n}"), f"{source}{n}", (label,), None, source)
        for n in range(start, start + count)
    ]


def _judge(right: int, *, version: int = 1, recall: tuple[int, int] = (95, 100)) -> Judge:
    """Return a champion that agrees with the first `right` labels that it is asked about in a group."""

    def answers(pictures: Sequence[Picture]) -> list[Said]:
        return [one.labels if number < right else ("dog",) for number, one in enumerate(pictures)]

    return Judge(version, frozenset({"cat", "dog"}), False, {"cat": recall, "dog": recall}, 0.9, {}, answers)


def _standing(
    pictures: list[Picture], judge: Judge, known: dict[tuple[str, str], Known] | None = None
) -> str:
    found, _ = check_labels(pictures, known or {}, judge, CollectConfig())
    (standing,) = {one.standing for one in found.values()}
    return standing


@pytest.mark.parametrize(
    ("count", "right", "recall", "standing"),
    [
        (40, 38, (95, 100), "trusted"),
        (40, 30, (95, 100), "trusted"),  # pictures of a new kind
        (40, 20, (95, 100), "quarantined"),  # half of them wrong
        (40, 0, (95, 100), "quarantined"),
        (10, 5, (95, 100), "trusted"),  # could be chance
        (10, 2, (95, 100), "quarantined"),
        (9, 0, (95, 100), "waiting"),
        (10, 0, (3, 3), "quarantined"),  # few held out: less is expected, but not nothing
        (40, 12, (50, 100), "trusted"),  # a class that it hardly knows
        (40, 0, (10, 100), "trusted"),  # one that it does not know at all
    ],
)
def test_a_group_is_judged_by_what_the_champion_can(
    count: int, right: int, recall: tuple[int, int], standing: str
) -> None:
    """Disagreement counts when it is far beyond its own errors, and beyond chance."""
    assert standing == _standing(_pictures(count), _judge(right, recall=recall))


def test_the_tail_is_exact() -> None:
    """As a textbook's."""
    for successes, trials, share in ((0, 10, 0.7), (7, 10, 0.7), (19, 40, 0.65), (10, 10, 0.3)):
        assert binom.cdf(successes, trials, share) == pytest.approx(
            lower_tail(successes, trials, share), rel=1e-9
        )


def test_a_good_source_does_not_hide_a_bad_one() -> None:
    """Groups are by source, too."""
    pictures = [*_pictures(100, source="a"), *_pictures(20, source="b")]
    found, distrusted = check_labels(pictures, {}, _judge(100), CollectConfig())
    assert {"a": "trusted", "b": "quarantined"} == {key[0][0]: one.standing for key, one in found.items()}
    assert [("b", 0, 20, False)] == [(one.source, one.agreed, one.count, one.again) for one in distrusted]


def test_what_waited_is_judged_with_what_comes() -> None:
    """Nine one night and three the next are twelve."""
    first = _pictures(9)
    waiting, _ = check_labels(first, {}, _judge(0), CollectConfig())
    assert "quarantined" == _standing([*first, *_pictures(3, start=9)], _judge(0), waiting)


def test_a_new_class_cannot_be_judged() -> None:
    """The gate says what becomes of new labels."""
    assert "trusted" == _standing(_pictures(40, label="owl"), _judge(0))


def test_the_champions_own_pictures_are_trusted() -> None:
    """Under the label it was trained with; not under another."""
    judge = Judge(1, frozenset({"cat", "dog"}), False, {}, 0.9, {"a0": "cat"}, lambda _: pytest.fail("asked"))
    assert "trusted" == _standing(_pictures(1), judge)


def test_the_same_champion_is_not_asked_twice_about_the_quarantine() -> None:
    """Another one is; what it still contradicts stays, however few are left."""
    pictures = _pictures(20)
    known, _ = check_labels(pictures, {}, _judge(0), CollectConfig())
    assert ({}, []) == check_labels(pictures, known, _judge(20), CollectConfig())
    assert "quarantined" == _standing(pictures[:3], _judge(0, version=2), known)
    assert "trusted" == _standing(pictures, _judge(20, version=2), known)


def test_several_labels_are_judged_together() -> None:
    """With a multi-label head a picture is right when all its labels are."""
    pictures = [Picture(Path(str(n)), str(n), ("in", "sea"), None, "a") for n in range(20)]
    said: list[Said] = [("in", "sea")] * 20

    def judge(answers: list[Said]) -> Judge:
        return Judge(1, frozenset({"in", "sea"}), True, {}, 0.9, {}, lambda _: answers)

    assert "trusted" == _standing(pictures, judge(said))
    assert "quarantined" == _standing(pictures, judge([("in",)] * 20))
