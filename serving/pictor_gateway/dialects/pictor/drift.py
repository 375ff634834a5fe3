"""The handler of `/v1/drift`, and what it says of itself."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from pictor_contract.statistics import FEATURES
from pictor_gateway.drift.windows import VersionDrift
from pictor_gateway.gateway import gateway_of
from pictor_gateway.learning_settings import LearningSettings

_DIGITS = 4
"""More of a score would be chance."""


class FeaturesDocument(BaseModel):
    """A score for each feature; null where too few pictures have it, as the size of what came as pixels."""

    model_config = ConfigDict(extra="forbid")

    class_mix: float | None
    confidence: float | None
    brightness: float | None
    sharpness: float | None
    size: float | None


class VersionDriftDocument(BaseModel):
    """One version that answers. `preferred`: the one that is meant by requests that name none."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: int
    preferred: bool
    comparable: bool = Field(description="Whether its contract has statistics of its training data.")
    pictures: int = Field(description="How many of its latest pictures were compared.")
    score: float | None = Field(description="The highest of the features; null while there is none.")
    features: FeaturesDocument
    reason: str | None = Field(None, description="Why there is no score.")


class DriftDocument(BaseModel):
    """What this process has seen since it started."""

    model_config = ConfigDict(extra="forbid")

    rate: float = Field(description="Share of the pictures that is compared.")
    window: int = Field(description="Pictures of each version that a score is taken over at most.")
    min_pictures: int = Field(description="And at least.")
    models: list[VersionDriftDocument]


async def read_drift(request: Request) -> Response:
    """Tell how far the pictures seen are from the training data, for every version that answers.

    A score is a population stability index, less what chance alone would give: below 0.1 they are alike,
    above 0.25 they are not. It is this process's own, of what it was sent since it started or since the
    version came; where several processes or replicas answer, the next request may meet another.
    """
    gateway = gateway_of(request)
    settings = gateway.settings
    return JSONResponse(
        {
            "rate": settings.drift_rate,
            "window": settings.drift_window,
            "min_pictures": settings.drift_min_pictures,
            "models": [_answer(one, settings) for one in gateway.drift.versions()],
        }
    )


def describe_drift() -> dict[str, Any]:
    """Return what the route of `/v1/drift` says about itself."""
    near = {"class_mix": 0.0, "confidence": 0.0122, "brightness": 0.0, "sharpness": 0.0061, "size": 0.0}
    version = {"name": "digits", "version": 3, "preferred": True, "comparable": True}
    value = {
        "rate": 0.1,
        "window": 1000,
        "min_pictures": 200,
        "models": [{**version, "pictures": 1000, "score": 0.0122, "features": near}],
    }
    examples = {"alike": {"summary": "As in training", "value": value}}
    answer = {
        "model": DriftDocument,
        "description": "A score for each version.",
        "content": {"application/json": {"examples": examples}},
    }
    return {"responses": {200: answer}}


def _answer(drift: VersionDrift, settings: LearningSettings) -> dict[str, Any]:
    reading = drift.reading
    features = dict.fromkeys(FEATURES) if reading is None else reading.features
    score = None if reading is None else reading.score
    return {
        "name": drift.served.name,
        "version": drift.served.version,
        "preferred": drift.preferred,
        "comparable": reading is not None,
        "pictures": 0 if reading is None else reading.pictures,
        "score": _rounded(score),
        "features": {feature: _rounded(value) for feature, value in features.items()},
        "reason": None if score is not None else _why_none(drift, settings),
    }


def _why_none(drift: VersionDrift, settings: LearningSettings) -> str:
    if drift.reading is None:
        return "Its contract has no statistics of the training data: train it again with this release."
    if settings.drift_rate == 0:
        return "Nothing is compared: drift_rate is 0."
    return (
        f"{drift.reading.pictures} pictures have been compared; "
        f"of fewer than {settings.drift_min_pictures} a score would be chance."
    )


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
