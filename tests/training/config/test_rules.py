"""Combinations are refused before any work, with the reason."""

import pytest

from pictor_training.config import TrainConfig, check_head, load_config
from pictor_training.errors import ConfigError

SELU = ["network.activation=selu", "network.initialiser=lecun_normal", "network.blocks=[{filters: 4}]"]


def _load(*overrides: str) -> TrainConfig:
    return load_config(
        "pictures", None, ["optimiser={name: sgd, schedule: constant, warmup_epochs: 0}", *overrides]
    )


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["optimiser.plateau_patience=3", "optimiser.schedule=cosine"], "would both set the learning rate"),
        (["optimiser.clip_norm=1", "optimiser.clip_value=1"], "clip_value and clip_norm cannot be joined"),
        (["optimiser.clip_norm=1", "optimiser.clip_global_norm=1"], "clip_norm and clip_global_norm cannot"),
        (["optimiser.nesterov=true"], "nesterov changes the momentum, which is 0"),
        (["optimiser.name=rmsprop", "optimiser.nesterov=true"], "nesterov is a setting of sgd"),
        (["optimiser.name=adam", "optimiser.momentum=0.9"], "momentum is a setting of sgd and rmsprop"),
        (["optimiser.name=ftrl"], "weight_decay has no lasting effect with ftrl"),
        (["optimiser.warmup_epochs=1"], "warmup_epochs is part of the cosine schedule"),
        (["optimiser.schedule=cosine", "optimiser.warmup_epochs=3", "fit.epochs=3"], "nothing is left"),
        ([*SELU, "network.initialiser=he_normal"], "network.dense.0: selu keeps mean and variance only with"),
        ([*SELU, "network.blocks.0.initialiser=he_normal"], "network.blocks.0: selu keeps mean and variance"),
        (
            [*SELU, "network.blocks.0.batch_norm=true"],
            "network.blocks.0.batch_norm: selu normalises by itself",
        ),
        (["network.blocks.1.stride=4"], "network.blocks.1: a stride of 4 with a kernel of 3 skips pixels"),
        (["data.val_fraction=0.5", "data.test_fraction=0.4"], "is 0.9: too little would be left to train on"),
        (["export.batch_sizes=[1, 4, 2]"], "export.batch_sizes must rise"),
        (["export.batch_sizes=[1, 1]"], "export.batch_sizes must rise"),
        (["data.head=multilabel", "fit.class_weight=balanced"], "needs one label a picture"),
        (["name=../x"], "name: received '../x'; wanted letters"),
    ],
)
def test_an_impossible_combination_is_refused(overrides: list[str], reason: str) -> None:
    """The message names the keys and the reason."""
    with pytest.raises(ConfigError) as refused:
        _load(*overrides)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimiser.plateau_patience=3"],
        ["optimiser.schedule=cosine", "optimiser.warmup_epochs=1"],
        ["optimiser.momentum=0.9", "optimiser.nesterov=true", "optimiser.clip_global_norm=1"],
        ["optimiser.name=rmsprop", "optimiser.momentum=0.9"],
        ["optimiser.name=ftrl", "optimiser.weight_decay=0"],
        SELU,
        ["fit.epochs=1", "fit.early_stopping_patience=99"],
        ["data.head=multilabel"],
    ],
)
def test_a_sensible_combination_is_taken(overrides: list[str]) -> None:
    """The rules refuse no more than they say."""
    assert isinstance(_load(*overrides), TrainConfig)


def test_every_broken_rule_is_told_at_once() -> None:
    """Nobody has to start ten times to learn of ten mistakes."""
    with pytest.raises(ConfigError) as refused:
        _load("optimiser.nesterov=true", "export.batch_sizes=[2, 1]")
    assert len(str(refused.value).splitlines()) == 2


def test_what_the_head_forbids_is_refused_once_the_head_is_known() -> None:
    """With `data.head: auto` only the pictures decide."""
    config = _load("fit.class_weight=balanced")
    check_head(config, "multiclass")
    with pytest.raises(ConfigError, match="needs one label a picture"):
        check_head(config, "multilabel")


def test_a_preset_runs_for_a_single_epoch() -> None:
    """A quick try of the default needs no other change."""
    assert load_config("pictures", None, ["fit.epochs=1"]).fit.epochs == 1
