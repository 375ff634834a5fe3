"""All that a report tells, gathered by whoever ran the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pictor_training.evaluation import Calibration, Evaluation
from pictor_training.report.mistakes import Mistake
from pictor_training.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The facts of one finished run. `test` is held out; `val` steered the training, so its figures flatter.

    `history` has one row per epoch with "epoch", "loss" and what else was measured; `best_epoch` counts from
    1. `split_counts` says for "train", "val" and "test" how many pictures each label has. `audit`,
    `environment` and `parity` are shown as they are, key by key; `audit_warnings` are whole sentences.
    """

    name: str
    run: str
    created_utc: str
    command: str
    seed: int
    seconds: float
    best_epoch: int
    history: Sequence[Mapping[str, float]]
    environment: Mapping[str, Any]
    data_fingerprint: str
    config_yaml: str
    audit: Mapping[str, Any]
    audit_warnings: Sequence[str]
    split_counts: Mapping[str, Sequence[int]]
    test: Evaluation
    val: Evaluation | None
    calibration: Calibration
    mistakes: Sequence[Mistake]
    parity: Mapping[str, Any] | None = None
    published: str | None = None
    verdict: Verdict | None = None
