"""From the memory-mapped pictures to batches, in an order that only the seed and the epoch decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.config.schema import TrainConfig
from pictor_training.fitting.augment import change, changes_nothing, draw, factors, transforms

_STREAM: Final = 0
"""Keeps the order's random numbers apart from those of the augmentation."""

_AHEAD: Final = 2
"""Batches made in advance, while the network works on the one before."""

_as_it_is: Final = tf.autograph.experimental.do_not_convert
"""Functions without Python branches on tensors need no conversion, which would cost more than they do."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of every batch is taken: one of `of` that differ by a picture at most.

    A batch of fewer than `of` pictures is taken whole by each of them.
    """

    index: int = 0
    of: int = 1

    def of_batch(self, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return this part's rows, and for how many pictures they stand: together, for those of the batch."""
        count = tf.size(chosen)
        few = count < self.of
        first = tf.where(few, 0, count * self.index // self.of)
        last = tf.where(few, count, count * (self.index + 1) // self.of)
        return chosen[first:last], tf.where(few, count / self.of, tf.cast(last - first, tf.float64))


WHOLE: Final = Part()
"""Every batch as it is."""


class Examples(NamedTuple):
    """What the network learns from: pictures uint8 [N, H, W, C], targets as its loss wants them, weights."""

    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def batch_count(rows: int, batch_size: int) -> int:
    """Batches that `rows` pictures make; the last one may be smaller, none is dropped."""
    return -(-rows // batch_size)


def balanced_weights(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weigh each row of one-hot `targets` by n / (labels x its label's pictures): labels count alike."""
    pictures = targets.sum(axis=0)
    per_label = len(targets) / (np.count_nonzero(pictures) * np.maximum(pictures, 1.0))
    return np.asarray(targets @ per_label, np.float32)


def epoch_order(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Shuffle `rows` for one epoch: the same order at every call."""
    return np.random.default_rng([seed, epoch, _STREAM]).permutation(rows)


def plain_batches(
    examples: Examples, rows: NDArray[np.int64], batch_size: int, part: Part = WHOLE
) -> tf.data.Dataset:
    """Batches (pictures, targets, weights) of `rows` in their order, each row exactly once.

    Of a part that is not the whole, the fourth entry is the number of pictures it stands for.
    """
    return _gathered(examples, rows, batch_size, part).prefetch(_AHEAD)


def training_batches(
    examples: Examples,
    rows: NDArray[np.int64],
    config: TrainConfig,
    epoch: int,
    first_step: int,
    part: Part = WHOLE,
) -> tf.data.Dataset:
    """Batches of one epoch over `rows`, shuffled and changed at random, from `first_step` on.

    What a batch holds depends on the seed, the epoch and its place, not on where the epoch was taken up.
    """
    batch_size = config.fit.batch_size
    order = epoch_order(rows, config.seed, epoch)[first_step * batch_size :]
    if changes_nothing(config.augment):
        return plain_batches(examples, order, batch_size, part)
    count, height, width = examples.pictures.shape[:3]
    draws = draw(config.seed, epoch, count)
    tables = (transforms(config.augment, draws, height, width), factors(config.augment, draws))

    def changed(*columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pictures, targets, weights, transform, factor, *counted = columns
        return change(pictures, transform, factor, config.augment.fill), targets, weights, *counted

    gathered = _gathered((*examples, *tables), order, batch_size, part)
    return gathered.map(_as_it_is(changed), num_parallel_calls=tf.data.AUTOTUNE).prefetch(_AHEAD)


def _gathered(
    columns: Sequence[NDArray[Any]], rows: NDArray[np.int64], batch_size: int, part: Part
) -> tf.data.Dataset:
    """Batches of `rows` of each column; the columns themselves stay where they are, on disk for instance."""

    def gather(chosen: NDArray[np.int64]) -> list[NDArray[Any]]:
        return [column[chosen] for column in columns]

    def read(chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tensors = tf.numpy_function(gather, [chosen], [column.dtype for column in columns])
        for tensor, column in zip(tensors, columns, strict=True):
            tensor.set_shape((None, *column.shape[1:]))
        return tuple(tensors)

    def read_part(chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mine, counted = part.of_batch(chosen)
        return *read(mine), tf.cast(counted, tf.float32)

    batches = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)
    return batches.map(_as_it_is(read if part == WHOLE else read_part))
