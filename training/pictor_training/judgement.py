"""What the held-out pictures say about a trained network: calibrated on validation, judged on test."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from pictor_contract.decision import DECISION_THRESHOLD
from pictor_training.data.prepare import PreparedData
from pictor_training.evaluation import Calibration, Evaluation, calibrate, evaluate
from pictor_training.evaluation.score import predict_logits, scores_from_logits
from pictor_training.stages import StageReport


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of both held-out sides; `scores` are the test pictures', in the order of `data.test`.

    `val_scores` are the validation pictures', in the order of `data.val`.
    """

    calibration: Calibration
    val: Evaluation
    test: Evaluation
    scores: NDArray[np.float64]
    val_scores: NDArray[np.float64]

    def held_out_scores(self) -> NDArray[np.float64]:
        """Return the calibrated scores of both sides, [val + test, labels]."""
        return np.concatenate([self.val_scores, self.scores])

    def thresholds(self) -> tuple[float, ...]:
        """Return the contract's decision thresholds; a multi-class answer is its highest score instead."""
        return () if self.test.head == "multiclass" else (DECISION_THRESHOLD,) * len(self.test.labels)

    def summary(self) -> str:
        """Say how good it is in one line."""
        accuracy = self.test.accuracy
        return (
            f"accuracy {accuracy.value:.2%} (95 % interval {accuracy.low:.2%} to {accuracy.high:.2%}), "
            f"{self.test.correct} of {self.test.count} held-out pictures right"
        )


def judge(model: keras.Model, data: PreparedData, *, seed: int, stages: StageReport) -> Judgement:
    """Score every held-out picture once; fit the temperature on the validation side, apply it to both."""
    val_logits = predict_logits(model, data.pictures, data.val, report=stages)
    test_logits = predict_logits(model, data.pictures, data.test, report=stages)
    calibration = calibrate(val_logits, data.targets[data.val], data.head)
    val_scores = scores_from_logits(val_logits, data.head, calibration.temperature)
    scores = scores_from_logits(test_logits, data.head, calibration.temperature)
    return Judgement(
        calibration=calibration,
        val=evaluate(val_scores, data.targets[data.val], data.labels, data.head, seed=seed),
        test=evaluate(scores, data.targets[data.test], data.labels, data.head, seed=seed),
        scores=scores,
        val_scores=val_scores,
    )
