"""Small finished runs to report on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_training.evaluation import calibrate, evaluate, scores_from_logits
from pictor_training.report import ReportFacts, worst_mistakes

COUNT = 40
MakeFacts = Callable[..., ReportFacts]


@dataclass(frozen=True)
class Prepared:
    """What the report reads of prepared data."""

    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    head: Head


def _history(epochs: int) -> list[dict[str, float]]:
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    return [{"epoch": epoch, **dict.fromkeys(names, 1 / epoch)} for epoch in range(1, epochs + 1)]


def _drawn(head: Head, labels: int, *, mistakes: bool) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    if head == "multilabel":
        targets = (rng.random((COUNT, labels)) < 0.4).astype(np.float32)
    else:
        targets = np.eye(labels, dtype=np.float32)[np.arange(COUNT) % labels]
    logits = (4 * (2 * targets - 1)).astype(np.float64)
    logits[::4] *= -1 if mistakes else 1
    return (logits[:, 1:] if head == "binary" else logits), targets


@pytest.fixture
def make_facts() -> MakeFacts:
    """Return a function that makes the facts of a run with these labels; keywords replace single facts."""

    def make(
        head: Head, labels: tuple[str, ...], *, epochs: int = 6, mistakes: bool = True, **others: object
    ) -> ReportFacts:
        logits, targets = _drawn(head, len(labels), mistakes=mistakes)
        calibration = calibrate(logits, targets, head)
        scores = scores_from_logits(logits, head, calibration.temperature)
        test = evaluate(scores, targets, labels, head, seed=1)
        pictures = np.arange(COUNT * 48, dtype=np.int64).reshape(COUNT, 4, 4, 3).astype(np.uint8)
        paths = tuple(f"{labels[0]}/{i}.png" for i in range(COUNT))
        data = Prepared(pictures, targets, paths, labels, head)
        known: dict[str, Any] = {
            "name": "small",
            "run": "2026-01-02-small",
            "created_utc": "2026-01-02 03:04 UTC",
            "command": "pictor train --data 'my pictures' seed=7",
            "seed": 7,
            "seconds": 75.0,
            "best_epoch": min(3, epochs),
            "history": _history(epochs),
            "environment": {"python": "3.11.7", "packages": {"keras": "3.15.1"}},
            "data_fingerprint": "c0ffee" * 10,
            "config_yaml": "seed: 7\n",
            "audit": {"pictures": 200, "duplicates": [["a.png", "b.png"]]},
            "audit_warnings": ["Two pictures are the same."],
            "split_counts": {"train": [9] * len(labels), "val": [4] * len(labels), "test": [5] * len(labels)},
            "test": test,
            "val": test,
            "calibration": calibration,
            "mistakes": worst_mistakes(scores, data, np.arange(COUNT)),
            "parity": {"tolerance": 1e-5},
            "published": "small/3",
        }
        return ReportFacts(**{**known, **others})

    return make
