"""What an evaluation found: the content of metrics.json."""

from dataclasses import asdict, dataclass
from typing import Any

from pictor_contract.contract import Head
from pictor_training.evaluation.intervals import Estimate
from pictor_training.evaluation.reliability import Reliability


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One label against all others. `support` pictures have it, `predicted` got it, `correct` both.

    What the counts cannot define is None: recall without support, precision without a prediction.
    """

    label: str
    support: int
    predicted: int
    correct: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every figure of one set of pictures; intervals are 95 %.

    `accuracy` is the share of pictures answered exactly right; with a multilabel head all labels at once
    (subset accuracy). `confusion[true][predicted]` counts pictures and is None with a multilabel head.
    `top_k` is empty unless the head is multi-class; `hamming_loss` and `micro_f1` are figures of a multilabel
    head. Means over classes leave out those that do not occur.
    """

    head: Head
    labels: tuple[str, ...]
    count: int
    correct: int
    accuracy: Estimate
    balanced_accuracy: Estimate | None
    macro_f1: Estimate | None
    micro_f1: Estimate | None
    hamming_loss: float | None
    top_k: dict[int, float]
    roc_auc: float | None
    average_precision: float | None
    nll: float
    brier: float
    reliability: Reliability
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as strict JSON allows them: what is undefined is null, nothing is NaN."""
        return {**asdict(self), "top_k": {str(k): share for k, share in self.top_k.items()}}

    def headline(self) -> dict[str, float]:
        """Return the few figures that travel in the contract; undefined ones are left out."""
        figures: dict[str, float | None] = {
            "pictures": float(self.count),
            "accuracy": self.accuracy.value,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
            "macro_f1": self.macro_f1.value if self.macro_f1 else None,
            "roc_auc": self.roc_auc,
            "nll": self.nll,
            "ece": self.reliability.ece,
        }
        return {name: figure for name, figure in figures.items() if figure is not None}
