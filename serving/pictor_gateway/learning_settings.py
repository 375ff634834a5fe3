"""The settings of what the gateway learns from its traffic: canary, captured pictures, feedback, drift."""

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator
from pydantic_settings import BaseSettings


class LearningSettings(BaseSettings):
    """A part of `Settings`; all but the drift score is off by default."""

    canary_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the requests that name no version which the version labelled canary answers.",
    )
    shadow_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the requests of the stable version that canary answers as well, unseen.",
    )
    canary_key_header: str = Field(
        "X-Session-ID",
        description="Header whose value decides who meets the canary; without it the request id does.",
    )
    canary_min_pictures: PositiveInt = Field(
        100,
        le=100_000,
        description="Latest pictures (for latency: requests) that the canary is judged by, in each process.",
    )
    canary_max_error_ratio: float = Field(
        0.02, ge=0, le=1, description="Share of failed pictures above which the canary gets no more traffic."
    )
    canary_max_latency_ratio: PositiveFloat = Field(
        2.0,
        description="Its 95th percentile of latency over stable's above which it gets no more traffic; "
        "mirrored requests do not count.",
    )
    canary_min_agreement: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Share of mirrored pictures it must answer as stable does.",
    )
    capture: str | None = Field(
        None,
        min_length=1,
        description="Folder or fsspec URL for sampled pictures and feedback; by default none is kept.",
    )
    capture_rate: float = Field(0.01, ge=0, le=1, description="Share of the pictures that is captured.")
    capture_uncertain_rate: float = Field(
        0.01, ge=0, le=1, description="Share captured beside it: the pictures the model was least certain of."
    )
    capture_consent: bool = Field(
        False, description="Whether only requests with the header X-Capture-Consent: yes are captured."
    )
    capture_max_age_days: PositiveFloat = Field(
        30.0, description="Days after which a captured picture is deleted."
    )
    capture_max_bytes: PositiveInt = Field(
        2**30, description="Bytes of captured pictures; beyond it the oldest are deleted."
    )
    feedback: bool = Field(
        False,
        description="Whether answers carry a prediction_id, for which POST /v1/feedback takes the label.",
    )
    feedback_secret: SecretStr | None = Field(
        None,
        description="Secret that signs prediction ids, one for all replicas; by default made at each start.",
    )
    feedback_max_age_days: PositiveFloat = Field(
        30.0, description="Days for which feedback on a prediction is taken (404 afterwards)."
    )
    drift_rate: float = Field(
        0.1, ge=0, le=1, description="Share of the pictures compared with the training data; 0 for none."
    )
    drift_window: PositiveInt = Field(
        1000, description="Latest pictures of each version that a process takes its drift score over."
    )
    drift_min_pictures: PositiveInt = Field(
        200, description="Pictures before a drift score is shown: of fewer it would be chance."
    )

    @model_validator(mode="after")
    def _the_window_can_fill(self) -> Self:
        if self.drift_min_pictures > self.drift_window:
            raise ValueError("--drift-min-pictures is more than --drift-window: no score would ever be shown")
        return self
