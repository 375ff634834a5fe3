"""The worst mistakes, the surest first."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_training.report import worst_mistakes


@dataclass(frozen=True)
class _Data:
    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    head: Head


def _data(targets: list[list[int]], head: Head) -> _Data:
    count = len(targets)
    pictures = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    paths = tuple(f"{i}.png" for i in range(count))
    return _Data(pictures, np.array(targets, np.float32), paths, ("a", "b", "c")[: len(targets[0])], head)


def test_the_surest_mistake_comes_first_and_right_answers_never() -> None:
    """Rows are looked up in the whole data; scores belong to the rows."""
    data = _data([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "multiclass")
    scores = np.array([[0.1, 0.3, 0.6], [0.9, 0.05, 0.05], [0.0, 0.1, 0.9]])
    found = worst_mistakes(scores, data, np.array([3, 2, 1]))
    assert [(one.path, one.truth, one.answer, one.score) for one in found] == [
        ("2.png", ("b",), ("a",), 0.9),
        ("1.png", ("a",), ("c",), 0.9),
    ]
    assert found[0].pixels.item() == 2


def test_a_binary_mistake_has_the_score_of_the_wrong_answer() -> None:
    """0.8 for the answer, not 0.2 for the truth."""
    (found,) = worst_mistakes(np.array([[0.2, 0.8]]), _data([[1, 0]], "binary"), np.array([0]))
    assert (found.truth, found.answer, found.label, found.score) == (("a",), ("b",), "b", 0.8)


def test_a_multilabel_mistake_names_its_worst_label() -> None:
    """Missed with 0.01 is worse than wrongly given with 0.9."""
    scores = np.array([[0.9, 0.01, 0.3]])
    (found,) = worst_mistakes(scores, _data([[0, 1, 0]], "multilabel"), np.array([0]))
    assert (found.truth, found.answer, found.label, found.score) == (("b",), ("a",), "b", 0.01)


def test_only_so_many_are_returned() -> None:
    """Two of three, and none of none."""
    data = _data([[1, 0]] * 3, "binary")
    scores = np.array([[0.4, 0.6], [0.1, 0.9], [0.3, 0.7]])
    assert [one.path for one in worst_mistakes(scores, data, np.arange(3), limit=2)] == ["1.png", "2.png"]
    assert worst_mistakes(1 - scores, data, np.arange(3)) == ()
