"""The forms of Pictor's answers, for `/openapi.json`; a test holds real answers against them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pictor_gateway.backends.protocol import VersionState


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemDocument(_Document):
    """An error as in RFC 9457. `code` is stable; `retryable`: the same request may succeed later."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    instance: str | None = None


class ModelDocument(_Document):
    """Which model answered; `digest` is its contract's."""

    name: str
    version: int
    digest: str


class PredictionDocument(_Document):
    """One label with its calibrated score."""

    label: str
    index: int
    score: float


class PictureDocument(_Document):
    """The picture as it was sent, upright; of several frames or pages only the first was looked at."""

    width: int
    height: int
    format: str
    frames: int


class TimingsDocument(_Document):
    """Milliseconds by stage."""

    read: float
    decode: float
    queue: float
    inference: float
    total: float


class RecognisedDocument(_Document):
    """What is in one picture."""

    prediction_id: str | None = Field(
        None, description="For `/v1/feedback`; there if the operator takes feedback or captures pictures."
    )
    predictions: list[PredictionDocument] = Field(description="Highest score first.")
    decision: list[str] = Field(description="Labels that count as present by the model's thresholds.")
    image: PictureDocument


class FailedDocument(_Document):
    """Why one picture of several was refused."""

    error: ProblemDocument


class OneAnswerDocument(RecognisedDocument):
    """The answer to one picture."""

    id: str
    model: ModelDocument
    backend: str
    timings_ms: TimingsDocument


class SeveralAnswerDocument(_Document):
    """The answer to several pictures, in their order."""

    id: str
    model: ModelDocument
    backend: str
    results: list[RecognisedDocument | FailedDocument]
    timings_ms: TimingsDocument


class FeedbackBody(_Document):
    """What a prediction should have been."""

    prediction_id: str = Field(description="As the answer had it.")
    label: str | list[str] = Field(
        description="One of the model's labels; a list, perhaps empty, if the model gives several."
    )


class FeedbackDocument(_Document):
    """What came of it. A later label for the same prediction takes its place."""

    prediction_id: str
    label: str | list[str]
    predicted: str | list[str] | None = Field(
        description="What was predicted; null if that version's labels are not known any more."
    )
    correct: bool


class InputDocument(_Document):
    """The size pictures are brought to."""

    height: int
    width: int
    channels: int


class VersionDocument(_Document):
    """One version; everything below `reason` is there while it is available."""

    version: int
    state: VersionState
    reason: str | None = None
    digest: str | None = None
    head: Literal["binary", "multiclass", "multilabel"] | None = None
    labels: list[str] | None = None
    thresholds: list[float] | None = None
    input: InputDocument | None = None
    max_batch: int | None = None
    metrics: dict[str, float] | None = None
    created_utc: str | None = None
    made_by: str | None = None


class CanaryDocument(_Document):
    """How the version labelled canary does beside the stable one, as the process that answers has seen it.

    `share` of the requests that name no version. `active` until a breach, which `reason` tells. `pictures`:
    seen or mirrored. `agreement`: the share of the latest mirrored ones answered as stable did.
    """

    share: float
    active: bool
    reason: str
    pictures: int
    agreement: float | None


class ServedModelDocument(_Document):
    """One model, its versions newest first."""

    name: str
    default: bool
    labels: dict[str, int] = Field(description="Versions by label, such as stable, where there are any.")
    canary: CanaryDocument | None = Field(
        None, description="There while a canary is tried: see canary_share and shadow_share."
    )
    versions: list[VersionDocument]


class ModelsDocument(_Document):
    """Every model known."""

    models: list[ServedModelDocument]
