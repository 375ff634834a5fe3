"""Figures against hand-made cases and against scikit-learn."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from pictor_contract.contract import Head
from pictor_training.evaluation import Evaluation, evaluate


def _multiclass(truth: list[int], answer: list[int], labels: int) -> Evaluation:
    """Evaluate pictures whose answered label has a score of 0.7."""
    scores = np.full((len(truth), labels), 0.3 / (labels - 1))
    scores[np.arange(len(truth)), answer] = 0.7
    targets = np.eye(labels, dtype=np.float32)[truth]
    return evaluate(scores, targets, [f"class {i}" for i in range(labels)], "multiclass", seed=1)


def _random(head: Head, seed: int = 6) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    if head == "multilabel":
        targets = (rng.random((83, 4)) < 0.4).astype(np.float32)
        return np.clip(0.6 * targets + 0.5 * rng.random((83, 4)), 0, 1).astype(np.float64), targets
    labels = 2 if head == "binary" else 4
    targets = np.eye(labels, dtype=np.float32)[rng.integers(0, labels, 83)]
    raw = rng.random((83, labels)) + 0.6 * targets
    return raw / raw.sum(axis=1, keepdims=True), targets


def test_a_small_case_counted_by_hand() -> None:
    """Six pictures, four right; one class is answered once too often."""
    found = _multiclass([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1], 3)
    assert found.confusion == ((2, 1, 0), (0, 2, 0), (0, 1, 0))
    assert (found.count, found.correct) == (6, 4)
    assert [(c.support, c.predicted, c.correct) for c in found.classes] == [(3, 2, 2), (2, 4, 2), (1, 0, 0)]
    first, second, third = found.classes
    assert first.recall is not None
    assert second.precision is not None
    assert pytest.approx((first.recall.value, second.precision.value)) == (2 / 3, 1 / 2)
    assert third.precision is None  # never answered: undefined, not zero
    assert third.f1 is not None
    assert third.f1.value == 0.0
    assert found.balanced_accuracy is not None
    assert pytest.approx(found.balanced_accuracy.value) == (2 / 3 + 1 + 0) / 3
    assert found.macro_f1 is not None
    assert pytest.approx(found.macro_f1.value) == (4 / 5 + 4 / 6 + 0) / 3


def test_scores_counted_by_hand() -> None:
    """Two pictures, one right: likelihood, Brier and calibration error from the definition."""
    found = _multiclass([0, 1], [0, 0], 3)
    assert -(np.log(0.7) + np.log(0.15)) / 2 == pytest.approx(found.nll)
    assert pytest.approx(found.brier) == ((0.3**2 + 2 * 0.15**2) + (0.7**2 + 0.85**2 + 0.15**2)) / 2
    assert pytest.approx(found.reliability.ece) == 0.7 - 0.5
    assert found.top_k == {2: 1.0}


@pytest.mark.parametrize("head", ["binary", "multiclass"])
def test_single_label_figures_are_what_scikit_learn_computes(head: Head) -> None:
    """Accuracy, balanced accuracy, F1, ROC AUC, average precision, likelihood."""
    scores, targets = _random(head)
    truth, answer = targets.argmax(axis=1), scores.argmax(axis=1)
    found = evaluate(scores, targets, [str(i) for i in range(scores.shape[1])], head, seed=1)
    theirs = {
        "accuracy": metrics.accuracy_score(truth, answer),
        "balanced": metrics.balanced_accuracy_score(truth, answer),
        "macro_f1": metrics.f1_score(truth, answer, average="macro"),
        "roc_auc": metrics.roc_auc_score(targets, scores, average="macro"),
        "average_precision": metrics.average_precision_score(targets, scores, average="macro"),
        "nll": metrics.log_loss(truth, scores),
    }
    assert found.balanced_accuracy is not None
    assert found.macro_f1 is not None
    ours = {
        "accuracy": found.accuracy.value,
        "balanced": found.balanced_accuracy.value,
        "macro_f1": found.macro_f1.value,
        "roc_auc": found.roc_auc,
        "average_precision": found.average_precision,
        "nll": found.nll,
    }
    assert theirs == pytest.approx(ours)
    assert metrics.confusion_matrix(truth, answer).tolist() == [list(row) for row in found.confusion or ()]


def test_binary_brier_is_the_square_of_one_score() -> None:
    """As scikit-learn's brier_score_loss has it, not the sum over both labels."""
    scores, targets = _random("binary")
    found = evaluate(scores, targets, ["no", "yes"], "binary", seed=1)
    assert metrics.brier_score_loss(targets[:, 1], scores[:, 1]) == pytest.approx(found.brier)


def test_multilabel_figures_are_what_scikit_learn_computes() -> None:
    """Subset accuracy, Hamming loss, micro and macro F1."""
    scores, targets = _random("multilabel")
    answer = scores >= 0.5
    found = evaluate(scores, targets, list("abcd"), "multilabel", seed=1)
    assert found.micro_f1 is not None
    assert found.macro_f1 is not None
    theirs = (
        metrics.accuracy_score(targets, answer),
        metrics.hamming_loss(targets, answer),
        metrics.f1_score(targets, answer, average="micro"),
        metrics.f1_score(targets, answer, average="macro"),
    )
    assert theirs == pytest.approx(
        (found.accuracy.value, found.hamming_loss, found.micro_f1.value, found.macro_f1.value)
    )
    assert found.confusion is None
    assert found.top_k == {}


def test_top_k_is_what_scikit_learn_computes() -> None:
    """For k = 2 and 3 of four labels."""
    scores, targets = _random("multiclass")
    found = evaluate(scores, targets, list("abcd"), "multiclass", seed=1)
    theirs = {k: metrics.top_k_accuracy_score(targets.argmax(axis=1), scores, k=k) for k in (2, 3)}
    assert theirs == pytest.approx(found.top_k)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_a_class_without_pictures_leaves_null_and_no_warning(truth: list[int]) -> None:
    """Strict JSON: what cannot be defined is null, never NaN."""
    found = _multiclass(truth, [0, 0, 1], 3)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["classes"][2]["recall"] is None
    assert written["roc_auc"] is None
    assert written["classes"][2]["average_precision"] is None
    assert all(isinstance(figure, float) for figure in found.headline().values())


def test_a_multilabel_set_without_any_label_is_evaluated() -> None:
    """No class occurs: means are undefined, the rest stands."""
    found = evaluate(np.full((3, 2), 0.1), np.zeros((3, 2), np.float32), ["a", "b"], "multilabel", seed=1)
    assert (found.macro_f1, found.micro_f1) == (None, None)
    assert found.accuracy.value == 1.0
    json.dumps(found.to_dict(), allow_nan=False)


def test_certain_but_wrong_scores_cost_much_and_not_infinity() -> None:
    """A score of exactly 0 for the truth keeps the likelihood finite."""
    found = evaluate(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]], np.float32), ["a", "b"], "binary", seed=1)
    assert 30 < found.nll < 40


def test_metrics_survive_json() -> None:
    """What is written is what is read."""
    scores, targets = _random("multiclass")
    found = evaluate(scores, targets, list("abcd"), "multiclass", seed=1)
    written: dict[str, Any] = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert found.accuracy.low == written["accuracy"]["low"]
    assert found.top_k[3] == written["top_k"]["3"]
    assert len(written["reliability"]["bins"]) == 15
    assert sum(one["count"] for one in written["reliability"]["bins"]) == 83


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2), np.float32)),
        (np.full((3, 2), 0.5), np.zeros((4, 2), np.float32)),
        (np.full((3, 3), 0.3), np.zeros((3, 3), np.float32)),
        (np.full((3, 2), 1.5), np.zeros((3, 2), np.float32)),
        (np.full((3, 2), np.nan), np.zeros((3, 2), np.float32)),
    ],
    ids=["no picture", "other count", "other labels", "no probability", "not a number"],
)
def test_what_cannot_be_evaluated_is_refused(
    scores: NDArray[np.float64], targets: NDArray[np.float32]
) -> None:
    """A mistake of the caller is named at once."""
    with pytest.raises(ValueError, match=r"Scores"):
        evaluate(scores, targets, ["a", "b"], "multilabel", seed=1)
