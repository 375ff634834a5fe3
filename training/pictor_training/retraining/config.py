"""A retraining job's configuration: frozen, typed, every unknown key refused.

What one field alone cannot know stands in `loading.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from pictor_training.config.schema import Fraction, TrainConfig
from pictor_training.retraining.gate.config import GateConfig, Share


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SourceConfig(_Section):
    """Where pictures with labels come from: a folder of class folders, a manifest, or captured samples."""

    folder: str | None = Field(
        None, description="Folder of class folders; beside manifest: what its paths start from."
    )
    manifest: str | None = Field(
        None, description="CSV with columns path,label[,split]; several labels: a|b."
    )
    samples: str | None = Field(
        None, description="Folder or URL that the gateway captures to; pictures with feedback are taken."
    )
    optional: bool = Field(False, description="Whether it may be missing or hold no picture.")


class CollectConfig(_Section):
    """What makes the job stop before it learns from pictures that look wrong."""

    max_loss: Share = Field(0.1, description="Share of the champion's pictures that may have gone.")
    max_class_loss: Share = Field(
        0.5, description="Share of the champion's pictures of one class that may have gone."
    )
    removed_labels: list[str] = Field([], description="Classes that are meant to go; any other must stay.")
    label_check: bool = Field(
        True, description="Whether the champion is asked about new pictures before they are learnt from."
    )
    min_group: PositiveInt = Field(
        10, description="New pictures of one class and source from which on their labels are judged together."
    )
    slack: Fraction = Field(
        0.25, description="How far below its held-out recall the champion may agree with new labels."
    )
    significance: float = Field(
        0.01, gt=0, lt=0.5, description="Chance of such disagreement below which labels count as wrong."
    )
    accept: list[str] = Field(
        [], description="sha256 of pictures to take in spite of the label check; '*' takes all."
    )


class PublishConfig(_Section):
    """What becomes of a model that passed the gate."""

    label: Literal["stable", "canary", "none"] = Field(
        "stable", description="Label that the new version gets; the first version ever gets stable."
    )
    tfs: str | None = Field(
        None, description="TensorFlow Serving's addresses, host:port,...; each must serve before labels move."
    )
    models_config: str | None = Field(
        None, description="models.config to write for TensorFlow Serving, which polls it."
    )
    base_path: str | None = Field(
        None, description="The store's path as TensorFlow Serving sees it. [default: as seen from here]"
    )
    tls_ca_file: str | None = Field(
        None, description="PEM of who vouches for TensorFlow Serving's certificate."
    )
    tls_cert_file: str | None = Field(None, description="PEM of the certificate to show TensorFlow Serving.")
    tls_key_file: str | None = Field(None, description="PEM of that certificate's key.")
    timeout_s: PositiveFloat = Field(
        300.0, description="Seconds within which TensorFlow Serving must have loaded the version."
    )


class KeepConfig(_Section):
    """How much of the past is kept."""

    versions: PositiveInt = Field(
        5, description="Newest versions kept in the store, beside labelled ones and the one to go back to."
    )
    runs: PositiveInt = Field(
        10, description="Newest run folders of this job kept, beside those of versions in the store."
    )


class DriftConfig(_Section):
    """Retrain only when the gateways see other pictures than the champion was trained on."""

    gateways: list[str] = Field(
        [], description="Addresses of gateways to ask, http://host:port; none: retrain whatever they see."
    )
    threshold: PositiveFloat = Field(
        0.2, description="Drift score from which on there is a reason to retrain."
    )
    timeout_s: PositiveFloat = Field(10.0, description="Seconds for a gateway to answer.")


class RetrainConfig(_Section):
    """One job, run again and again."""

    name: str = Field(description="Model name: folder in the store, segment of the URL.")
    store: str = Field("models", description="The store: a folder, or a URL that fsspec understands.")
    runs: str = Field("runs", description="Folder of the runs, of the job's memory and of collected samples.")
    sources: Annotated[list[SourceConfig], Field(min_length=1)] = Field(
        description="Where labelled pictures come from; all are read at each run."
    )
    train: TrainConfig = Field(description="The keys of `pictor train`, its preset among them.")
    gate: GateConfig = Field(GateConfig(), description="What a new model must pass.")
    publish: PublishConfig = Field(PublishConfig(), description="What becomes of a model that passed.")
    collect: CollectConfig = Field(CollectConfig(), description="What new pictures must pass.")
    keep: KeepConfig = Field(KeepConfig(), description="How much of the past is kept.")
    drift: DriftConfig = Field(DriftConfig(), description="Whether to wait for drift.")
