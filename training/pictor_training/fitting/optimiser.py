"""From the section `optimiser` to a Keras optimiser, made of nothing but Keras' own classes."""

from typing import Any, Final

import keras

from pictor_training.config.schema import OptimiserConfig

_CLASSES: Final = {
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "adadelta": keras.optimizers.Adadelta,
    "adagrad": keras.optimizers.Adagrad,
    "adamax": keras.optimizers.Adamax,
    "nadam": keras.optimizers.Nadam,
    "ftrl": keras.optimizers.Ftrl,
}

_NOT_DECAYED: Final = ["bias", "gamma", "beta"]
"""Names of the variables weight decay leaves alone: biases, and batch normalisation's scale and offset."""


def build_optimiser(config: OptimiserConfig, steps_per_epoch: int, epochs: int) -> keras.optimizers.Optimizer:
    """Build the optimiser of a run of `epochs` times `steps_per_epoch` steps, not yet bound to variables."""
    settings: dict[str, Any] = {
        "learning_rate": _learning_rate(config, steps_per_epoch, epochs),
        "clipvalue": config.clip_value,
        "clipnorm": config.clip_norm,
        "global_clipnorm": config.clip_global_norm,
    }
    if config.weight_decay or config.name == "adamw":  # AdamW left alone would decay by 0.004
        settings["weight_decay"] = config.weight_decay
    if config.momentum:
        settings["momentum"] = config.momentum
    if config.nesterov:
        settings["nesterov"] = True
    optimiser = _CLASSES[config.name](**settings)
    exclude_from_decay(optimiser)
    return optimiser


def exclude_from_decay(optimiser: keras.optimizers.Optimizer) -> None:
    """Keep weight decay off biases and batch normalisation.

    To be called before the optimiser is built, also on one read from a file: Keras stores no exclusions.
    """
    optimiser.exclude_from_weight_decay(var_names=_NOT_DECAYED)


def optimiser_state(optimiser: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """All variables a built optimiser moves weights by: restoring them continues to the same numbers."""
    hidden = getattr(
        optimiser, "_u_product", None
    )  # Nadam's running product; Keras does not list it in `variables`
    return [*optimiser.variables, *([] if hidden is None else [hidden])]


def _learning_rate(
    config: OptimiserConfig, steps_per_epoch: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if config.schedule == "constant":
        return config.learning_rate
    steps = steps_per_epoch * epochs
    warmup = min(round(config.warmup_epochs * steps_per_epoch), steps - 1)
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, decay_steps=steps)
    return keras.optimizers.schedules.CosineDecay(
        config.learning_rate / warmup,  # not 0: the first step would move nothing
        decay_steps=steps - warmup,
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
