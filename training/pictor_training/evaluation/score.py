"""What the network says about each picture, once per picture. The only module here that needs Keras."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.errors import DivergedError
from pictor_training.evaluation.answers import scores_from_logits

__all__ = ["predict_logits", "scores_from_logits"]

LOGITS_LAYER = "logits"


def predict_logits(
    model: keras.Model,
    pictures: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    batch_size: int = 64,
    report: Callable[[str, int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the layer "logits" of `model` for `pictures[rows]`, [len(rows), units], in the order of `rows`.

    Every row is scored exactly once. `pictures` may be a memory map: one batch is in memory at a time.

    Raises:
        DivergedError: a logit is not a finite number.

    """
    layer = model.get_layer(LOGITS_LAYER)
    logits = np.empty((len(rows), layer.output.shape[-1]), np.float32)
    size = max(1, min(batch_size, len(rows)))
    forward = _forward(model, layer, (size, *pictures.shape[1:]))
    batch = np.zeros((size, *pictures.shape[1:]), np.uint8)
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        batch[: len(chosen)] = pictures[chosen]  # what the last batch leaves over is scored and cut off
        logits[start : start + len(chosen)] = forward(tf.constant(batch)).numpy()[: len(chosen)]
        if report is not None:
            report("score", start + len(chosen), len(rows))
    _require_finite(logits)
    return logits


def _forward(
    model: keras.Model, layer: keras.Layer, shape: tuple[int, ...]
) -> Callable[[tf.Tensor], tf.Tensor]:
    until_logits = keras.Model(model.inputs, layer.output)
    dtype = model.inputs[0].dtype

    # One shape, one trace: tracing the network again for a shorter last batch would cost more than the batch.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)])  # type: ignore[untyped-decorator]  # tf
    def forward(batch: tf.Tensor) -> tf.Tensor:
        return until_logits(tf.cast(batch, dtype), training=False)

    return forward  # type: ignore[no-any-return]  # tf


def _require_finite(logits: NDArray[np.float32]) -> None:
    broken = int((~np.isfinite(logits).all(axis=1)).sum())
    if broken:
        raise DivergedError(
            f"The network gives no finite answer for {broken} of {len(logits)} pictures: its weights have "
            "diverged. Train with a lower optimiser.learning_rate or with clipping."
        )
