"""What `/v1/classify` and `/v1/models` answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.decision import decide
from pictor_gateway.backends.protocol import ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.problems import problem_of
from pictor_gateway.rollout.rollout import CanaryState
from pictor_gateway.telemetry.facts import RequestFacts

Json = dict[str, Any]

_SCORE_DIGITS = 7
"""A float32 has no more."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which predictions are shown: at most `top_k`, none with a score below `threshold`."""

    top_k: int
    threshold: float


def one_answer(
    served: ServedVersion,
    recognised: Recognised,
    selection: Selection,
    facts: RequestFacts,
    prediction_id: str = "",
) -> Json:
    """Return the answer to one picture."""
    return {
        **_head(served, facts),
        **_picture_answer(served.contract, recognised, selection, prediction_id),
        "timings_ms": facts.timings_ms(),
    }


def several_answer(
    served: ServedVersion,
    outcomes: list[Recognised | Refusal],
    selection: Selection,
    facts: RequestFacts,
    prediction_ids: Sequence[str] = (),
) -> Json:
    """Return the answers in the order of the pictures, each with its predictions or its error."""
    ids = prediction_ids or ("",) * len(outcomes)
    results = [
        _picture_answer(served.contract, one, selection, prediction_id)
        if isinstance(one, Recognised)
        else {"error": problem_of(one).body()}
        for one, prediction_id in zip(outcomes, ids, strict=True)
    ]
    return {**_head(served, facts), "results": results, "timings_ms": facts.timings_ms()}


def models_answer(
    models: tuple[ModelStatus, ...], default_model: str | None, canaries: Mapping[str, CanaryState]
) -> Json:
    """Return every model with every version known; `canaries` are those under trial, by their models."""
    return {
        "models": [
            {
                "name": model.name,
                "default": model.name == default_model,
                "labels": dict(model.labels),
                **({"canary": asdict(canaries[model.name])} if model.name in canaries else {}),
                "versions": [_version_answer(one) for one in model.versions],
            }
            for model in models
        ]
    }


def _head(served: ServedVersion, facts: RequestFacts) -> Json:
    model = {"name": served.name, "version": served.version, "digest": served.digest}
    return {"id": facts.request_id, "model": model, "backend": served.backend}


def _picture_answer(
    contract: ImageContract, recognised: Recognised, selection: Selection, prediction_id: str
) -> Json:
    scores = recognised.scores
    predictions = [
        {"label": contract.labels[index], "index": index, "score": round(float(scores[index]), _SCORE_DIGITS)}
        for index in _by_score(scores)[: selection.top_k]
        if scores[index] >= selection.threshold
    ]
    named = {"prediction_id": prediction_id} if prediction_id else {}
    return {
        **named,
        "predictions": predictions,
        "decision": decided_labels(contract, scores),
        "image": {
            "width": recognised.width,
            "height": recognised.height,
            "format": recognised.format,
            "frames": recognised.frames,
        },
    }


def decided_labels(contract: ImageContract, scores: NDArray[np.float32]) -> list[str]:
    """Return the labels that count as present, highest score first; none if the model is not sure enough."""
    (decided,) = decide(scores[np.newaxis], contract.head, contract.thresholds)
    return [contract.labels[index] for index in _by_score(scores) if decided[index]]


def _by_score(scores: NDArray[np.float32]) -> list[int]:
    """Return the indices, highest score first; equal scores stay in the order of the labels."""
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return order


def _version_answer(status: VersionStatus) -> Json:
    answer: Json = {"version": status.version, "state": status.state}
    if status.reason:
        answer["reason"] = status.reason
    if status.served is not None:
        contract = status.served.contract
        size = contract.input
        answer |= {
            "digest": status.served.digest,
            "head": contract.head,
            "labels": list(contract.labels),
            "thresholds": list(contract.thresholds),
            "input": {"height": size.height, "width": size.width, "channels": size.channels},
            "max_batch": contract.max_batch,
            "metrics": contract.metrics,
            "created_utc": contract.created_utc,
            "made_by": contract.made_by,
        }
    return answer
