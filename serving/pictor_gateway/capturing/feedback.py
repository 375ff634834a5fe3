"""Take what users say of predictions: right or wrong, kept if there is a place.

Each is counted once: where none is kept, once by each process that is told of it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import time

from pictor_contract import ImageContract
from pictor_gateway.backends.protocol import ModelStatus
from pictor_gateway.capturing.accuracy import LiveAccuracy
from pictor_gateway.capturing.prediction_ids import Prediction, PredictionIds
from pictor_gateway.capturing.writer import SampleWriter
from pictor_gateway.errors import (
    FeedbackNotKept,
    InvalidParameter,
    ModelNotReady,
    Overloaded,
    PredictionNotFound,
)
from pictor_store.errors import StoreError
from pictor_store.samples import Judgement, day_text, utc_text

_MOST_REMEMBERED = 20_000
"""Predictions whose label is remembered, to count each once: some 10 MB."""

_MOST_UNDER_WAY = 64
"""Labels that are written at once; two for one prediction wait for each other."""

_MOST_LABELS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a label. `predicted` is None where the labels of that version are not known any more."""

    labels: tuple[str, ...]
    predicted: tuple[str, ...] | None
    correct: bool
    several: bool


class FeedbackDesk:
    """Judges predictions by their ids alone. Used from the event loop only."""

    def __init__(
        self, predictions: PredictionIds, writer: SampleWriter | None, accuracy: LiveAccuracy
    ) -> None:
        self._predictions = predictions
        self._writer = writer
        self._accuracy = accuracy
        self._remembered: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._locks = [asyncio.Lock() for _ in range(_MOST_UNDER_WAY)]
        self._under_way = 0

    async def take(self, prediction_id: str, label: str | list[str], models: Sequence[ModelStatus]) -> Judged:
        """Judge one prediction. A later label for it takes the earlier one's place; it is counted once.

        Raises:
            PredictionNotFound: the id is not ours, too old, or of a model that is not served here.
            InvalidParameter: the label is none of the model's.
            ModelNotReady: no version of the model can answer, so nobody knows its labels.
            Overloaded: too many are being written.
            FeedbackNotKept: it could not be written; nothing was counted.
        """
        prediction = self._predictions.read(prediction_id)
        model = next((model for model in models if prediction.is_of(model.name)), None)
        if model is None:
            raise PredictionNotFound("The model that made this prediction is not served here any more.")
        own, contracts = _contracts_of(model, prediction.version)
        labels, several = _checked(label, contracts)
        judged = Judged(labels, _predicted(prediction, own), prediction.was(labels), several)
        with self._place():
            async with self._locks[hash(prediction.sample_id) % _MOST_UNDER_WAY]:
                if self._remembered.get(prediction.sample_id) != labels:
                    await self._keep(prediction, model.name, judged)
        return judged

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= _MOST_UNDER_WAY:
            raise Overloaded(f"{_MOST_UNDER_WAY} labels are being written already. Try again in a moment.")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _keep(self, prediction: Prediction, model: str, judged: Judged) -> None:
        first = prediction.sample_id not in self._remembered
        if self._writer is not None:  # another process may have counted it, or this one before a restart
            first &= await self._write(self._writer, prediction, model, judged)
        self._remembered[prediction.sample_id] = judged.labels
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        self._accuracy.note((model, prediction.version), prediction.sample_id, judged.correct, first=first)

    async def _write(self, writer: SampleWriter, prediction: Prediction, model: str, judged: Judged) -> bool:
        judgement = Judgement(
            id=prediction.sample_id,
            model=model,
            version=prediction.version,
            day=day_text(prediction.predicted_s),
            judged_utc=utc_text(time()),
            label=judged.labels,
            predicted=judged.predicted,
            correct=judged.correct,
        )
        try:
            return await writer.judge(judgement)
        except StoreError as error:
            raise FeedbackNotKept("The label could not be kept. Send it again in a moment.") from error


def _contracts_of(model: ModelStatus, version: int) -> tuple[ImageContract | None, list[ImageContract]]:
    """Return the contract of the version that predicted, if it is there, and those that judge the label."""
    served = {one.version: one.contract for one in model.available}
    if not served:
        raise ModelNotReady(f"No version of the model {model.name!r} can answer now; /readyz says why.")
    own = served.get(version)
    return own, list(served.values()) if own is None else [own]


def _checked(label: str | list[str], contracts: Sequence[ImageContract]) -> tuple[tuple[str, ...], bool]:
    """Return the labels, sorted, and whether the model gives several."""
    several = any(contract.head == "multilabel" for contract in contracts)
    given = [label] if isinstance(label, str) else label
    if isinstance(label, list) and not several:
        raise InvalidParameter("label must be a text: this model gives each picture one label.")
    known = list(dict.fromkeys(one for contract in contracts for one in contract.labels))
    for one in given:
        if one not in known:
            raise InvalidParameter(f"label: {one[:100]!r} is none of the model's labels: {_some(known)}.")
    if len(set(given)) != len(given):
        raise InvalidParameter("label has the same text twice.")
    return tuple(sorted(given)), several


def _some(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _MOST_LABELS_SHOWN else ""
    return ", ".join(label[:100] for label in labels[:_MOST_LABELS_SHOWN]) + more


def _predicted(prediction: Prediction, contract: ImageContract | None) -> tuple[str, ...] | None:
    if contract is None or prediction.indices is None:
        return None
    if any(index >= len(contract.labels) for index in prediction.indices):
        return None
    labels = tuple(contract.labels[index] for index in prediction.indices)
    return labels if prediction.was(labels) else None  # another model may stand under the same number by now
