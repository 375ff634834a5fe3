"""Batches: every row, in an order and with changes that only the seed and the epoch decide."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.config.schema import TrainConfig
from pictor_training.fitting.batches import (
    Examples,
    balanced_weights,
    batch_count,
    epoch_order,
    plain_batches,
    training_batches,
)

ROWS = np.array([2, 3, 5, 7, 11, 13, 17])
SIZE = 3


@pytest.fixture
def examples(small: ModuleType) -> Examples:
    """Examples whose weight is their row number."""
    data = small.small_data()
    return Examples(data.pictures, data.targets, np.arange(60, dtype=np.float32))


def config(small: ModuleType, **augment: float) -> TrainConfig:
    """Return a configuration with batches of three."""
    made = small.small_config(fit={"batch_size": SIZE}, augment=augment)
    assert isinstance(made, TrainConfig)
    return made


def collect(batches: Iterable[Iterable[tf.Tensor]]) -> list[list[NDArray[Any]]]:
    """Read all batches."""
    return [[tensor.numpy() for tensor in batch] for batch in batches]


def test_validation_reads_each_row_once_in_order_and_keeps_the_partial_batch(examples: Examples) -> None:
    """Seven rows make batches of three, three and one."""
    batches = collect(plain_batches(examples, ROWS, SIZE))
    assert [len(pictures) for pictures, _, _ in batches] == [3, 3, 1]
    assert ROWS.tolist() == [row for _, _, weights in batches for row in weights]
    assert examples.pictures[ROWS].tolist() == [
        one.tolist() for pictures, _, _ in batches for one in pictures
    ]
    assert examples.targets[ROWS].tolist() == [one.tolist() for _, targets, _ in batches for one in targets]


def test_training_reads_each_row_once_in_the_epoch_s_order(small: ModuleType, examples: Examples) -> None:
    """No row is dropped and none comes twice; the next epoch has another order."""
    orders = []
    for epoch in (0, 1):
        batches = collect(training_batches(examples, ROWS, config(small), epoch, 0))
        orders.append([int(row) for _, _, weights in batches for row in weights])
    assert [ROWS.tolist(), ROWS.tolist()] == [sorted(order) for order in orders]
    assert [epoch_order(ROWS, 3, epoch).tolist() for epoch in (0, 1)] == orders
    assert orders[0] != orders[1]


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_an_epoch_taken_up_at_a_step_goes_on_with_the_same_batches(
    small: ModuleType, examples: Examples, step: int
) -> None:
    """Pictures, their random changes, targets and weights are the whole epoch's; after its last, none."""
    whole = collect(training_batches(examples, ROWS, config(small), 4, 0))
    rest = collect(training_batches(examples, ROWS, config(small), 4, step))
    assert 3 - step == len(rest)
    for expected, received in zip(whole[step:], rest, strict=True):
        assert [one.tobytes() for one in expected] == [one.tobytes() for one in received]


def test_training_pictures_vary_from_epoch_to_epoch(small: ModuleType, examples: Examples) -> None:
    """The same row comes changed in another way each time; as uint8 like the pictures that are served."""
    shown = []
    for epoch in range(6):
        for pictures, _, weights in collect(training_batches(examples, ROWS, config(small), epoch, 0)):
            shown += [picture for picture, row in zip(pictures, weights, strict=True) if row == 7]
    assert len({picture.tobytes() for picture in shown}) == 6
    assert np.uint8 == shown[0].dtype
    assert np.var(np.array(shown, float), axis=0).mean() > 0


def test_without_augmentation_pictures_come_as_they_are(small: ModuleType, examples: Examples) -> None:
    """Identity, not an approximation of it."""
    off = config(small, rotation_degrees=0, shift=0, zoom=0, brightness=0)
    for pictures, _, weights in collect(training_batches(examples, ROWS, off, 0, 0)):
        assert examples.pictures[weights.astype(int)].tobytes() == pictures.tobytes()


@pytest.mark.parametrize(("rows", "batches"), [(1, 1), (31, 1), (32, 1), (33, 2)])
def test_a_partial_batch_counts_as_one(rows: int, batches: int) -> None:
    """Batches of 32."""
    assert batches == batch_count(rows, 32)


def test_balanced_weights_let_every_label_count_alike() -> None:
    """Three of one label and one of another: 4/(2*3) and 4/(2*1). A label without pictures is none."""
    targets = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
    assert balanced_weights(targets) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
