"""Combinations that no single field can refuse: each rule yields the reason, all are told at once."""

from collections.abc import Iterator
from typing import Literal

from pictor_contract import Head, is_model_name
from pictor_contract.contract import MODEL_NAME_RULE
from pictor_training.config.schema import ConvBlock, DenseBlock, NetworkConfig, OptimiserConfig, TrainConfig
from pictor_training.errors import ConfigError

_HELD_OUT_LIMIT = 0.9
_WITH_MOMENTUM = ("sgd", "rmsprop")


def check_rules(config: TrainConfig) -> None:
    """Refuse what cannot be run, before any work.

    Raises:
        ConfigError: one line for each rule that is broken.

    """
    broken = [
        *_names(config),
        *_data(config),
        *_head(config, config.data.head),
        *_rate(config),
        *_momentum(config.optimiser),
        *_clipping(config.optimiser),
        *_decay(config.optimiser),
        *_selu(config.network),
        *_strides(config.network),
        *_batches(config),
    ]
    if broken:
        raise ConfigError("\n".join(broken))


def check_head(config: TrainConfig, head: Head) -> None:
    """Refuse what the head forbids; called again once `data.head: auto` is decided.

    Raises:
        ConfigError: the head cannot be trained with this configuration.

    """
    if broken := list(_head(config, head)):
        raise ConfigError("\n".join(broken))


def _names(config: TrainConfig) -> Iterator[str]:
    if not is_model_name(config.name):
        yield f"name: received {config.name!r}; wanted {MODEL_NAME_RULE}."


def _data(config: TrainConfig) -> Iterator[str]:
    held_out = config.data.val_fraction + config.data.test_fraction
    if held_out >= _HELD_OUT_LIMIT:
        yield (
            f"data.val_fraction + data.test_fraction is {held_out:g}: too little would be left to train on. "
            f"Keep their sum below {_HELD_OUT_LIMIT:g}."
        )


def _head(config: TrainConfig, head: Head | Literal["auto"]) -> Iterator[str]:
    if head == "multilabel" and config.fit.class_weight == "balanced":
        yield (
            "fit.class_weight: balanced needs one label a picture; the multilabel head has several. "
            "Set fit.class_weight=none."
        )


def _rate(config: TrainConfig) -> Iterator[str]:
    optimiser = config.optimiser
    if optimiser.plateau_patience is not None and optimiser.schedule != "constant":
        yield (
            f"optimiser.plateau_patience and optimiser.schedule: {optimiser.schedule} would both set the "
            "learning rate. Keep one: plateau_patience=null, or schedule=constant."
        )
    if optimiser.warmup_epochs > 0 and optimiser.schedule == "constant":
        yield (
            "optimiser.warmup_epochs is part of the cosine schedule; optimiser.schedule is constant. "
            "Set schedule=cosine, or warmup_epochs=0."
        )
    if optimiser.warmup_epochs >= config.fit.epochs:
        yield (
            f"optimiser.warmup_epochs is {optimiser.warmup_epochs:g} of {config.fit.epochs} epochs: nothing "
            "is left after the warm-up. Make it smaller, or fit.epochs larger."
        )


def _momentum(optimiser: OptimiserConfig) -> Iterator[str]:
    if optimiser.momentum > 0 and optimiser.name not in _WITH_MOMENTUM:
        yield (
            f"optimiser.momentum is a setting of {' and '.join(_WITH_MOMENTUM)}; optimiser.name is "
            f"{optimiser.name}. Set momentum=0, or choose one of them."
        )
    if optimiser.nesterov and optimiser.name != "sgd":
        yield (
            f"optimiser.nesterov is a setting of sgd; optimiser.name is {optimiser.name}. "
            "Set nesterov=false (nadam is Adam with Nesterov momentum)."
        )
    elif optimiser.nesterov and optimiser.momentum == 0:
        yield "optimiser.nesterov changes the momentum, which is 0. Set momentum, for example to 0.9."


def _clipping(optimiser: OptimiserConfig) -> Iterator[str]:
    names = ("clip_value", "clip_norm", "clip_global_norm")
    chosen = [name for name in names if getattr(optimiser, name) is not None]
    if len(chosen) > 1:
        yield f"optimiser: {' and '.join(chosen)} cannot be joined. Keep one and set the others to null."


def _decay(optimiser: OptimiserConfig) -> Iterator[str]:
    if optimiser.weight_decay > 0 and optimiser.name == "ftrl":
        # Keras shrinks the weight, then FTRL computes it anew from its accumulators: the decay is lost.
        yield "optimiser.weight_decay has no lasting effect with ftrl; set it to 0 and use network.l2."


def _selu(network: NetworkConfig) -> Iterator[str]:
    if network.activation != "selu":
        return
    for where, layer in _layers(network):
        initialiser = layer.initialiser or network.initialiser
        if initialiser != "lecun_normal":
            yield (
                f"{where}: selu keeps mean and variance only with the initialiser lecun_normal; received "
                f"{initialiser}."
            )
    for index, block in enumerate(network.blocks):
        if block.batch_norm:
            yield f"network.blocks.{index}.batch_norm: selu normalises by itself; set batch_norm=false."


def _strides(network: NetworkConfig) -> Iterator[str]:
    for index, block in enumerate(network.blocks):
        if block.stride > block.kernel:
            yield (
                f"network.blocks.{index}: a stride of {block.stride} with a kernel of {block.kernel} skips "
                "pixels. Make the stride at most the kernel, or use pool."
            )


def _batches(config: TrainConfig) -> Iterator[str]:
    sizes = config.export.batch_sizes
    if sorted(set(sizes)) != sizes:
        yield f"export.batch_sizes must rise, each size once; received {sizes}."


def _layers(network: NetworkConfig) -> Iterator[tuple[str, ConvBlock | DenseBlock]]:
    for index, block in enumerate(network.blocks):
        yield f"network.blocks.{index}", block
    for index, dense in enumerate(network.dense):
        yield f"network.dense.{index}", dense
