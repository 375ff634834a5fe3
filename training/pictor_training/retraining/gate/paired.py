"""Two models, the same pictures: which of them each one answered right.

Pictures that the champion was trained on or tuned by are left out, for it knows them by heart, and so are
pictures that show only labels it never had. What counts as right is what evaluation counts: all labels at
once, of those that both models have; an answer that only one of them can give is then a wrong one.

The pictures are of two groups. The *known* ones were already held out for the champion: somebody looked at
figures made with them before. The *new* ones came since. A batch of mislabelled pictures reaches both sides
of the split, so on new pictures the challenger may seem better for having learnt the mistake.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.decision import decide
from pictor_training.retraining.gate.champion import Answers
from pictor_training.retraining.gate.pictures import HeldOut

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Paired:
    """The pictures that are compared, of all that were held out.

    `places` are their numbers among the held-out pictures; everything else is in their order: `known`, and
    for the shared `labels` what is `present` and what each side decided, [n, labels]. `left_out` counts the
    others by reason.
    """

    answers: Answers
    labels: tuple[str, ...]
    places: NDArray[np.int64]
    known: Marks
    present: Marks
    champion: Marks
    challenger: Marks
    left_out: dict[str, int]

    def right(self) -> tuple[Marks, Marks]:
        """Say for champion and challenger which pictures they answered right."""
        champion = (self.champion == self.present).all(axis=1)
        challenger = (self.challenger == self.present).all(axis=1)
        return champion, challenger


def pair(held_out: HeldOut, contract: ImageContract, scores: NDArray[np.float64], answers: Answers) -> Paired:
    """Put the challenger's `scores` beside the champion's `answers`."""
    shared = [label for label in contract.labels if label in answers.contract.labels]
    ours = [contract.labels.index(label) for label in shared]
    theirs = [answers.contract.labels.index(label) for label in shared]
    present = held_out.present[:, ours]
    strange = _strange(present, contract)
    learnt = _among(held_out.contents, answers.champion.trained_on)
    used = ~strange & ~learnt & answers.readable
    places = np.flatnonzero(used)
    return Paired(
        answers=answers,
        labels=tuple(shared),
        places=places,
        known=_among(held_out.contents, answers.champion.held_out)[places],
        present=present[places],
        champion=_decided(answers.scores[places], answers.contract)[:, theirs],
        challenger=_decided(scores[places], contract)[:, ours],
        left_out={
            "known_by_heart": int(learnt.sum()),
            "labels_it_never_had": int((strange & ~learnt).sum()),
            "unreadable": int((~answers.readable & ~strange & ~learnt).sum()),
        },
    )


def _strange(present: Marks, contract: ImageContract) -> Marks:
    """Say which pictures have no label that both models know, where each picture has one."""
    if contract.head == "multilabel" and present.shape[1]:
        return np.zeros(len(present), np.bool_)
    return np.asarray(~present.any(axis=1))


def _decided(scores: NDArray[np.float64], contract: ImageContract) -> Marks:
    return decide(scores, contract.head, contract.thresholds)


def _among(contents: Sequence[str], some: frozenset[str] | None) -> Marks:
    return np.array([some is not None and content in some for content in contents], np.bool_)
