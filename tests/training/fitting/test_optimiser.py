"""The section `optimiser` as Keras optimisers."""

from typing import get_args

import keras
import numpy as np
import pytest

from pictor_training.config.schema import OptimiserConfig
from pictor_training.fitting.optimiser import build_optimiser, optimiser_state

NAMES = get_args(OptimiserConfig.model_fields["name"].annotation)


def build(**settings: object) -> keras.optimizers.Optimizer:
    """Build from settings as a YAML file would hold them."""
    return build_optimiser(OptimiserConfig.model_validate(settings), steps_per_epoch=10, epochs=4)


@pytest.mark.parametrize("name", NAMES)
def test_each_optimiser_moves_a_weight_downhill(name: str) -> None:
    """Every name of the configuration gives an optimiser that works."""
    optimiser = build(name=name, learning_rate=0.01)
    weight = keras.Variable([1.0])
    optimiser.build([weight])
    optimiser.apply([np.array([1.0], np.float32)], [weight])
    assert float(weight[0]) < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_an_optimiser_is_made_of_what_keras_reads_back(name: str) -> None:
    """No custom object is ever written to a model file."""
    optimiser = build(name=name, schedule="cosine", warmup_epochs=1.0)
    assert optimiser.get_config() == type(optimiser).from_config(optimiser.get_config()).get_config()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ftrl"])
def test_weight_decay_shrinks_kernels_and_leaves_biases_and_batch_norm_alone(name: str) -> None:
    """With gradients of zero, decay alone moves weights: by rate times decay."""
    optimiser = build(name=name, learning_rate=0.1, weight_decay=0.5)
    variables = [keras.Variable([1.0], name=each) for each in ("kernel", "bias", "gamma", "beta")]
    optimiser.build(variables)
    optimiser.apply([np.zeros(1, np.float32)] * 4, variables)
    assert [float(each[0]) for each in variables] == pytest.approx([0.95, 1.0, 1.0, 1.0])


def test_adamw_does_not_decay_unless_told_to() -> None:
    """Keras' own default would be 0.004."""
    assert build(name="adamw").weight_decay == 0.0


def test_momentum_and_nesterov_reach_sgd() -> None:
    """Both are settings of the run."""
    optimiser = build(name="sgd", momentum=0.9, nesterov=True)
    assert (optimiser.momentum, optimiser.nesterov) == (0.9, True)


@pytest.mark.parametrize(
    ("setting", "moved"),
    [
        ("clip_value", [-1.0, -1.0, -1.0]),
        ("clip_norm", [-0.6, -0.8, -1.0]),
        ("clip_global_norm", [-3 / 13, -4 / 13, -12 / 13]),
    ],
)
def test_gradients_are_clipped_by_value_by_norm_or_all_together(setting: str, moved: list[float]) -> None:
    """A step of SGD with rate 1 shows the gradient that is left: (3, 4) and (12) clipped at 1."""
    optimiser = build(name="sgd", learning_rate=1.0, **{setting: 1.0})
    two, one = keras.Variable([0.0, 0.0]), keras.Variable([0.0])
    optimiser.build([two, one])
    optimiser.apply([np.array([3.0, 4.0], np.float32), np.array([12.0], np.float32)], [two, one])
    assert [*two.numpy(), *one.numpy()] == pytest.approx(moved)


def test_the_cosine_rises_through_the_warm_up_and_ends_at_zero() -> None:
    """40 steps of which 10 warm up: no step has a rate of zero, the top is reached once, the end is zero."""
    schedule = build(schedule="cosine", learning_rate=0.5, warmup_epochs=1.0)._learning_rate
    rates = [float(schedule(step)) for step in range(41)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[10] == pytest.approx(0.5)
    assert rates[25] == pytest.approx(0.25)
    assert rates[40] == pytest.approx(0.0, abs=1e-6)
    assert sorted(rates[:11]) == rates[:11]


def test_a_cosine_without_warm_up_starts_at_the_top() -> None:
    """Warm-up is optional."""
    schedule = build(schedule="cosine", learning_rate=0.5)._learning_rate
    assert [float(schedule(step)) for step in (0, 20)] == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_all_that_the_next_step_depends_on(name: str) -> None:
    """Restored into a new optimiser, the state gives the same next step, Nadam's hidden product included."""
    gradient = [np.array([0.3], np.float32)]
    old, weight = build(name=name), keras.Variable([1.0])
    old.build([weight])
    for _ in range(3):
        old.apply(gradient, [weight])
    new, copy = build(name=name), keras.Variable(weight.numpy())
    new.build([copy])
    for variable, value in zip(optimiser_state(new), optimiser_state(old), strict=True):
        variable.assign(value)
    old.apply(gradient, [weight])
    new.apply(gradient, [copy])
    assert weight.numpy().tobytes() == copy.numpy().tobytes()
