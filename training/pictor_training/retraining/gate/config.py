"""The section `gate` of a retraining's configuration: what a challenger must show to be promoted."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Ruling = Literal["hold", "allow"]


class GateConfig(BaseModel):
    """Limits; what exceeds one is held. A challenger that is broken is rejected, whatever the limits are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_pictures: PositiveInt = Field(
        10, description="Held-out pictures that it takes to judge; with fewer the challenger is held."
    )
    min_accuracy: Share = Field(
        0.0, description="Least share of held-out pictures answered right; every model must beat guessing."
    )
    min_class_recall: Share = Field(
        0.0, description="Least share of a class's pictures found; a champion as weak there excuses it."
    )
    min_new_recall: Share = Field(
        0.5, description="Least share of a new label's held-out pictures found; none held out is none found."
    )
    max_regression: Share = Field(
        0.01, description="Largest fall of the accuracy on the same pictures, as a share of them."
    )
    max_risk: Share = Field(
        0.35,
        description="Largest probability, by the same pictures, that it falls by more than that; 1: any.",
    )
    significance: Probability = Field(
        0.05, description="Probability by chance below which a smaller fall counts as real, too; one-sided."
    )
    max_class_regression: Share = Field(
        0.1, description="Largest fall of a class's recall that is passed over, as a share of its pictures."
    )
    class_significance: Probability = Field(
        0.05, description="Probability by chance below which a larger fall of a class holds; one-sided."
    )
    max_calibration_error: Share = Field(
        0.15, description="Largest mean gap between score and truth, if chance does not explain it."
    )
    max_calibration_regression: Share = Field(
        0.05, description="Largest growth of that gap over the champion's, if chance does not explain it."
    )
    max_latency_ms: PositiveFloat | None = Field(
        None, description="Longest median time for one picture on one core, in milliseconds; null: any."
    )
    max_latency_ratio: PositiveFloat | None = Field(
        2.0, description="Longest such time as a multiple of the champion's; null: any."
    )
    max_size_bytes: PositiveInt | None = Field(
        None, description="Largest size of the version's folder, in bytes; null: any."
    )
    max_size_ratio: PositiveFloat | None = Field(
        2.0, description="Largest such size as a multiple of the champion's; null: any."
    )
    new_labels: Ruling = Field("hold", description="What labels do that the champion does not have.")
    removed_labels: Ruling = Field("hold", description="What labels do that only the champion has.")
    contract_change: Ruling = Field(
        "hold", description="What another input, head or order of labels than the champion's does."
    )
    champion_unreadable: Ruling = Field(
        "hold", description="What a stable version does whose files are damaged, so that it cannot compare."
    )
    gateway: bool = Field(
        True, description="Whether a real gateway must answer held-out files with the challenger's scores."
    )
    gateway_pictures: PositiveInt = Field(16, description="Held-out files that the gateway is asked about.")
    gateway_ready_s: PositiveFloat = Field(60.0, description="Seconds the gateway may take to become ready.")
