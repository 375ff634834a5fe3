"""A run's configuration: frozen, typed, every unknown key refused.

What one field alone cannot know stands in `rules.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

Fraction = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "leaky_relu", "elu", "selu"]
Initialiser = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(_Section):
    """Which pictures, and how they are divided."""

    path: str = Field(
        min_length=1, description="Folder of class folders (optionally below train/, val/, test/)."
    )
    manifest: str | None = Field(
        None, description="CSV with columns path,label[,split]; several labels: a|b."
    )
    head: Literal["auto", "binary", "multiclass", "multilabel"] = Field(
        "auto", description="auto: two classes binary, more multiclass, several labels a picture multilabel."
    )
    val_fraction: Fraction = Field(
        0.15, gt=0, description="Share held out for early stopping and calibration."
    )
    test_fraction: Fraction = Field(0.15, gt=0, description="Share held out for the final figures.")
    near_duplicate_bits: int = Field(
        6,
        ge=0,
        le=16,
        description="Perceptual hashes (64 bit) at most this far apart count as near duplicates.",
    )
    on_unreadable: Literal["skip", "fail"] = Field(
        "skip", description="What a picture that cannot be decoded does."
    )


class InputConfig(_Section):
    """What one picture looks like when it reaches the network."""

    size: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | Literal["auto"] = Field(
        "auto", description="[height, width] in pixels; auto: chosen from the pictures, 128 at most."
    )
    channels: Literal[1, 3, "auto"] = Field(
        "auto", description="1 grey, 3 RGB; auto: 1 if every picture is grey."
    )
    resize_filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = Field(
        "bilinear",
        description="Pillow's filter of this name; all but nearest and box smooth when they shrink.",
    )
    fit: Literal["stretch", "crop", "pad"] = Field(
        "stretch", description="What another aspect ratio meets: squeezed, its centre kept, or borders added."
    )
    background: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)] = (
        Field([255, 255, 255], description="RGB levels under transparent pixels and in added borders.")
    )


class _Layer(_Section):
    """What a convolution and a dense layer have in common; null takes what `network` says."""

    dropout: Fraction = Field(
        0.0, description="Share of outputs dropped; alpha dropout with the selu activation."
    )
    initialiser: Initialiser | None = Field(
        None, description="Of this layer alone; null: network.initialiser."
    )
    l1: NonNegativeFloat | None = Field(None, description="Of this layer alone; null: network.l1.")
    l2: NonNegativeFloat | None = Field(None, description="Of this layer alone; null: network.l2.")


class ConvBlock(_Layer):
    """One convolution with what follows it: normalisation, activation, pooling, dropout."""

    filters: PositiveInt = Field(description="Feature maps that the convolution makes.")
    kernel: PositiveInt = Field(3, description="Side of the kernel, in pixels.")
    stride: PositiveInt = Field(1, description="Pixels from one position of the kernel to the next.")
    padding: Literal["valid", "same"] = Field("same", description="same keeps the size, valid pads nothing.")
    batch_norm: bool = Field(False, description="Batch norm between convolution and activation.")
    pool: int = Field(2, ge=0, description="Side of the max-pooling window; 0 or 1: none.")


class DenseBlock(_Layer):
    """One dense layer with its dropout."""

    units: PositiveInt = Field(description="Outputs of the layer.")


class NetworkConfig(_Section):
    """The stack from pixels to logits."""

    blocks: Annotated[list[ConvBlock], Field(min_length=1)] = Field(description="Convolutions, in order.")
    smallest_map: PositiveInt = Field(
        1, description="Pooling is left out where it would leave a side of fewer pixels."
    )
    reduce: Literal["flatten", "average"] = Field(
        "flatten", description="What joins the blocks to the dense head."
    )
    dense: list[DenseBlock] = Field([], description="Dense layers before the logits, in order.")
    activation: Activation = Field("relu", description="After each convolution and dense layer.")
    initialiser: Initialiser = Field(
        "he_normal", description="Of the kernels; the logits take glorot_uniform."
    )
    l1: NonNegativeFloat = Field(
        0.0, description="Penalty on kernels; never on biases, batch norm or the logits."
    )
    l2: NonNegativeFloat = Field(
        0.0, description="Penalty on kernels; never on biases, batch norm or the logits."
    )
    gaussian_noise: float = Field(0.0, ge=0, le=1, description="Standard deviation, pixels scaled to 0..1.")


class OptimiserConfig(_Section):
    """How the weights are moved."""

    name: Literal["sgd", "rmsprop", "adam", "adamw", "adadelta", "adagrad", "adamax", "nadam", "ftrl"] = (
        Field("adamw", description="Keras' optimiser of this name.")
    )
    learning_rate: PositiveFloat = Field(1e-3, description="Highest rate; where the schedule starts from.")
    momentum: Fraction = Field(0.0, description="Share of the last step kept; sgd and rmsprop only.")
    nesterov: bool = Field(False, description="Nesterov's look-ahead; needs momentum, sgd only.")
    weight_decay: NonNegativeFloat = Field(0.0, description="Decoupled; not on biases and batch norm.")
    clip_value: PositiveFloat | None = Field(None, description="Largest magnitude of a gradient's element.")
    clip_norm: PositiveFloat | None = Field(None, description="Largest norm of one variable's gradient.")
    clip_global_norm: PositiveFloat | None = Field(
        None, description="Largest norm of all gradients together."
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="How the rate goes on from epoch to epoch; cosine falls to 0 at the last."
    )
    warmup_epochs: NonNegativeFloat = Field(0.0, description="Epochs of linear rise before the cosine.")
    plateau_patience: PositiveInt | None = Field(
        None, description="Epochs without progress before the rate falls."
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="What the rate is multiplied by at a plateau.")


class AugmentConfig(_Section):
    """Random changes of training pictures; never part of the exported graph."""

    rotation_degrees: float = Field(0.0, ge=0, le=180, description="Largest rotation, both ways.")
    shift: Fraction = Field(0.0, description="Largest shift as a share of the side, both ways.")
    shear_degrees: float = Field(0.0, ge=0, lt=90, description="Largest shear angle, both ways.")
    zoom: Fraction = Field(0.0, description="Scale drawn from 1-zoom to 1+zoom.")
    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="Mirrored in half of the cases; only for classes that a mirror does not change."
    )
    brightness: Fraction = Field(0.0, description="Levels scaled by a factor from 1-b to 1+b.")
    fill: Literal["nearest", "reflect", "constant"] = Field(
        "nearest", description="What fills the border: its pixels repeated, the picture mirrored, or black."
    )


class FitConfig(_Section):
    """How long, in which batches, and when to stop."""

    epochs: PositiveInt = Field(40, description="Times every training picture is shown, at most.")
    batch_size: PositiveInt = Field(
        32, description="Pictures in one step; the last of an epoch may be smaller."
    )
    early_stopping_patience: PositiveInt | None = Field(
        10, description="Epochs without progress before training ends; null: never."
    )
    monitor: Literal["val_loss", "val_accuracy"] = Field(
        "val_loss", description="What progress and the best epoch are judged by."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="Share of the target spread over all labels."
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced: each class weighs the same, however few its pictures."
    )
    checkpoint_every_s: PositiveFloat = Field(
        60.0, description="Seconds between checkpoints within an epoch."
    )


class ExportConfig(_Section):
    """What is published."""

    batch_sizes: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 4, 8, 16, 32],
        description="Batches the model is warmed up for, rising; the last is the largest.",
    )


class TrainConfig(_Section):
    """One run."""

    name: str = Field("classifier", description="Model name: folder in the store, segment of the URL.")
    preset: str = Field("modern-cnn", description="The preset this configuration started from.")
    seed: int = Field(1, ge=0, lt=2**31, description="Decides weights, order, dropout and augmentation.")
    data: DataConfig = Field(description="Which pictures.")
    input: InputConfig = Field(InputConfig(), description="What one picture looks like to the network.")
    network: NetworkConfig = Field(description="The stack.")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="How the weights are moved.")
    augment: AugmentConfig = Field(AugmentConfig(), description="Random changes of training pictures.")
    fit: FitConfig = Field(FitConfig(), description="How long, and when to stop.")
    export: ExportConfig = Field(ExportConfig(), description="What is published.")
