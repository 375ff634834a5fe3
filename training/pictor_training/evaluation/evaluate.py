"""Scores against the truth: every figure of a set of held-out pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_contract.decision import decide
from pictor_training.evaluation.averages import averages
from pictor_training.evaluation.figures import ClassFigures, Evaluation
from pictor_training.evaluation.intervals import f1, proportion, wilson
from pictor_training.evaluation.likelihood import (
    average_precision,
    brier,
    negative_log_likelihood,
    roc_auc,
    top_k_accuracy,
)
from pictor_training.evaluation.reliability import reliability


def evaluate(
    scores: NDArray[np.float64],
    targets: NDArray[np.float32],
    labels: Sequence[str],
    head: Head,
    *,
    seed: int,
) -> Evaluation:
    """Evaluate calibrated `scores` against `targets`, both [n, labels]; `seed` fixes the resampled intervals.

    Raises:
        ValueError: no picture, shapes that do not fit, or a score that is no probability.

    """
    _require_fitting(scores, targets, labels)
    present = targets > 0
    decided = decide(scores, head)
    correct = int((decided == present).all(axis=1).sum())
    classes = tuple(
        _one_class(label, scores[:, i], decided[:, i], present[:, i]) for i, label in enumerate(labels)
    )
    average = averages(decided, present, seed=seed)
    multilabel = head == "multilabel"
    return Evaluation(
        head=head,
        labels=tuple(labels),
        count=len(scores),
        correct=correct,
        accuracy=wilson(correct, len(scores)),
        balanced_accuracy=average.balanced_accuracy,
        macro_f1=average.macro_f1,
        micro_f1=average.micro_f1 if multilabel else None,
        hamming_loss=float((decided != present).mean()) if multilabel else None,
        top_k=top_k_accuracy(scores, present) if head == "multiclass" else {},
        roc_auc=_mean([one.roc_auc for one in classes]),
        average_precision=_mean([one.average_precision for one in classes]),
        nll=negative_log_likelihood(scores, present, head),
        brier=brier(scores, present, head),
        reliability=reliability(scores, targets, head),
        classes=classes,
        confusion=None if multilabel else _confusion(decided, present),
    )


def _one_class(
    label: str, scores: NDArray[np.float64], decided: NDArray[np.bool_], present: NDArray[np.bool_]
) -> ClassFigures:
    correct, support, predicted = (int(part.sum()) for part in (decided & present, present, decided))
    return ClassFigures(
        label=label,
        support=support,
        predicted=predicted,
        correct=correct,
        precision=proportion(correct, predicted),
        recall=proportion(correct, support),
        f1=f1(correct, support, predicted),
        roc_auc=roc_auc(scores, present),
        average_precision=average_precision(scores, present),
    )


def _confusion(decided: NDArray[np.bool_], present: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    counts = present.T.astype(np.int64) @ decided.astype(np.int64)
    return tuple(tuple(int(cell) for cell in row) for row in counts)


def _mean(figures: Sequence[float | None]) -> float | None:
    defined = [figure for figure in figures if figure is not None]
    return sum(defined) / len(defined) if defined else None


def _require_fitting(
    scores: NDArray[np.float64], targets: NDArray[np.float32], labels: Sequence[str]
) -> None:
    if not len(scores) or not scores.shape == targets.shape == (len(scores), len(labels)):
        raise ValueError(
            "Scores and targets must both be [pictures, labels] with at least one picture; "
            f"received {scores.shape} and {targets.shape} for {len(labels)} labels."
        )
    if not ((scores >= 0) & (scores <= 1)).all():  # also refuses NaN
        raise ValueError("Scores must be probabilities from 0 to 1; pass what scores_from_logits returns.")
