"""What each head is trained by: its loss, its accuracy, and its targets in the shape both want."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_contract import Head


def loss_for(head: Head, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Return the head's cross-entropy. An object, because Keras cannot read all loss names back from .h5."""
    if head == "multiclass":
        return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


def accuracy_for(head: Head) -> keras.metrics.Metric:
    """Return the metric "accuracy": the share of right pictures, or of right labels for a multilabel head."""
    if head == "multiclass":
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    return keras.metrics.BinaryAccuracy(name="accuracy")


def right_share(head: Head, targets: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Return what that metric averages: for each picture 1 if it is right, or the share of right labels."""
    if head == "multiclass":
        return keras.metrics.categorical_accuracy(targets, scores)
    return keras.metrics.binary_accuracy(targets, scores)


def targets_for(targets: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    """Return what the model's scores are compared with: [N, 1] (the second label) for a binary head."""
    return targets[:, 1:2] if head == "binary" else targets
