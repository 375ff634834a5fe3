"""When two nights ask the same: then the answer is known, and nothing is trained."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pictor_training.retraining.collecting.picture import Collection
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.memory import Entry, Judged, Question

_ELSEWHERE: Final[dict[str, Any]] = {"name": True, "preset": True, "data": {"path", "manifest"}}
"""Keys of the training that say where things are, not what comes of them."""


def question_of(config: RetrainConfig, collection: Collection, champion: int | None) -> Question:
    """Return what a run with these pictures, this configuration and this champion would settle."""
    return Question(
        pictures=collection.fingerprint(),
        training=training_digest(config),
        gate=gate_digest(config),
        champion=champion,
    )


def training_digest(config: RetrainConfig) -> str:
    """Digest what decides the training, pictures apart."""
    return _digest(config.train.model_dump(mode="json", exclude=_ELSEWHERE))


def gate_digest(config: RetrainConfig) -> str:
    """Digest what decides the gate's word, models apart."""
    return _digest([config.gate.model_dump(mode="json"), sorted(config.collect.removed_labels)])


@dataclass(frozen=True, slots=True)
class Answer:
    """The run that settled a question; `version` is what it became, None if it was held back."""

    run: str
    version: int | None


def answer_to(question: Question, judged: Judged | None, champion: Entry | None) -> Answer | None:
    """Return what settles the question already: the last verdict, or the run that made the champion.

    Who was promoted stays judged, also if somebody went back to the version before: training again would only
    bring back what they withdrew. Who was held is asked again if the gate's limits or the champion changed.
    """
    made_from = question.pictures, question.training
    if champion is not None and made_from == (champion.pictures, champion.training):
        return Answer(champion.run, champion.version)
    if judged is None or made_from != (judged.question.pictures, judged.question.training):
        return None
    before = judged.question
    if judged.decision == "PROMOTE" or (question.gate, question.champion) == (before.gate, before.champion):
        return Answer(judged.run, judged.version)
    return None


def _digest(data: object) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
