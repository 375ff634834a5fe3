"""The pictures worth looking at: where the network was surest and wrong."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pictor_contract.contract import Head
from pictor_contract.decision import decide

SHOWN: Final = 24


@dataclass(frozen=True, slots=True)
class Mistake:
    """One picture that was answered wrongly.

    `label` is the label the network was surest about without being right, `score` its score: near 1 where the
    label was given wrongly, near 0 where a multilabel head missed it.
    """

    pixels: NDArray[np.uint8]
    path: str
    truth: tuple[str, ...]
    answer: tuple[str, ...]
    label: str
    score: float


class Pictures(Protocol):
    """What is read of prepared data; targets are [n, labels], as scores are."""

    @property
    def pictures(self) -> NDArray[np.uint8]: ...  # noqa: D102 - named as in the prepared data
    @property
    def targets(self) -> NDArray[np.float32]: ...  # noqa: D102  # likewise
    @property
    def paths(self) -> tuple[str, ...]: ...  # noqa: D102  # likewise
    @property
    def labels(self) -> tuple[str, ...]: ...  # noqa: D102  # likewise
    @property
    def head(self) -> Head: ...  # noqa: D102  # likewise


def worst_mistakes(
    scores: NDArray[np.float64], data: Pictures, rows: NDArray[np.int64], *, limit: int = SHOWN
) -> tuple[Mistake, ...]:
    """Return at most `limit` mistakes, the surest first; `scores[i]` belongs to `data.pictures[rows[i]]`."""
    present = data.targets[rows] > 0
    decided = decide(scores, data.head)
    surest = np.where(decided, scores, 1 - scores)
    # With one label per picture a mistake is two wrong decisions; the one that was answered is telling.
    telling = decided != present if data.head == "multilabel" else decided & ~present
    sureness = np.where(telling, surest, -1.0)
    wrong = np.flatnonzero(telling.any(axis=1))
    order = wrong[np.argsort(-sureness[wrong].max(axis=1), kind="stable")][:limit]
    return tuple(
        Mistake(
            pixels=np.array(data.pictures[rows[i]]),
            path=data.paths[rows[i]],
            truth=_names(data.labels, present[i]),
            answer=_names(data.labels, decided[i]),
            label=data.labels[int(sureness[i].argmax())],
            score=float(scores[i, int(sureness[i].argmax())]),
        )
        for i in order
    )


def _names(labels: tuple[str, ...], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(label for label, is_chosen in zip(labels, chosen, strict=True) if is_chosen)
