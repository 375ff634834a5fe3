"""The steps of a model that several workers train: one step moves all copies as one process would.

Each worker computes the gradients of its part of the batch; their mean, weighed by the pictures in each part,
is that of the whole batch, penalties included. Only then are they clipped and applied, by every worker alike.
"""

import keras
import tensorflow as tf

from pictor_contract import Head
from pictor_training.fitting.batches import Examples
from pictor_training.fitting.steps import Figures
from pictor_training.network.losses import right_share
from pictor_training.several.stopping import AgreedStop


class SharedSteps:
    """Stands where Steps does. A batch is this worker's part, with the number of pictures it stands for."""

    def __init__(self, model: keras.Model, head: Head, examples: Examples, stop: AgreedStop) -> None:
        self._model = model
        self._head = head
        self._stop = stop
        self._workers = stop.workers
        self.training = Figures(keras.metrics.Mean("accuracy"))
        self.validation = Figures(keras.metrics.Mean("accuracy"))
        part = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in examples]
        signature = [*part, tf.TensorSpec((), tf.float32), tf.TensorSpec((stop.workers.count,), tf.float32)]
        self._trained = tf.function(self._train, input_signature=signature, autograph=False)
        self._validated = tf.function(self._validate, input_signature=signature, autograph=False)
        for layer in self._normalising():
            layer.synchronized = True  # mean and variance of the whole batch, whoever holds its parts

    def train(self, *part: tf.Tensor) -> tf.Tensor:
        """Move the weights by one step; return the running loss."""
        return self._told(self._trained(*part, self._stop.flags()))

    def validate(self, *part: tf.Tensor) -> tf.Tensor:
        """Count one batch; return the running loss."""
        return self._told(self._validated(*part, self._stop.flags()))

    def settle(self) -> None:
        """Hear from all whether one was asked to stop; leave the model as one process would have it."""
        self._stop.settle()
        for layer in self._normalising():
            layer.synchronized = False

    def _normalising(self) -> list[keras.layers.BatchNormalization]:
        return [one for one in self._model.layers if isinstance(one, keras.layers.BatchNormalization)]

    def _told(self, result: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        loss, flags = result
        self._stop.heard(flags)
        return loss

    def _train(self, *part: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        weighted = self._model.trainable_variables
        *gradients, figures, flags = self._workers.each(self._gradients, *part)
        means = [gradient / figures[-1] for gradient in gradients]
        self._model.optimizer.apply_gradients(zip(means, weighted, strict=True))
        return self._count(self.training, figures), flags

    def _validate(self, *part: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        figures, flags = self._workers.each(self._scored, *part)
        return self._count(self.validation, figures), flags

    def _gradients(self, *part: tf.Tensor) -> list[tf.Tensor]:
        pictures, targets, weights, counted, flags = part
        with tf.GradientTape() as tape:
            scores = self._model(pictures, training=True)
            loss = self._loss(pictures, targets, scores, weights, training=True) * counted
        # Of the loss as weighed: through synchronised statistics it also moves the other workers' losses.
        gradients = tape.gradient(loss, self._model.trainable_variables)
        return self._workers.add([*gradients, self._figures(loss, targets, scores, counted), flags])

    def _scored(self, *part: tf.Tensor) -> list[tf.Tensor]:
        pictures, targets, weights, counted, flags = part
        scores = self._model(pictures, training=False)
        loss = self._loss(pictures, targets, scores, weights, training=False) * counted
        return self._workers.add([self._figures(loss, targets, scores, counted), flags])

    def _loss(self, *batch: tf.Tensor, training: bool) -> tf.Tensor:
        """Undo Keras' division by the number of workers: parts need not be of one size."""
        return self._model.compute_loss(*batch, training=training) * self._workers.count

    def _figures(
        self, loss: tf.Tensor, targets: tf.Tensor, scores: tf.Tensor, counted: tf.Tensor
    ) -> tf.Tensor:
        right = tf.reduce_mean(right_share(self._head, targets, scores))
        return tf.stack([loss, right * counted, counted])

    @staticmethod
    def _count(figures: Figures, summed: tf.Tensor) -> tf.Tensor:
        loss, right, count = tf.unstack(summed)
        figures.loss.update_state(loss / count, sample_weight=count)
        figures.accuracy.update_state(right / count, sample_weight=count)
        return figures.loss.result()
