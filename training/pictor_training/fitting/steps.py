"""One training step and one validation step, compiled, each with its own running loss and accuracy."""

import keras
import tensorflow as tf

from pictor_contract import Head
from pictor_training.fitting.batches import Examples
from pictor_training.network.losses import accuracy_for


class Figures:
    """Loss and accuracy over the batches since the last reset, each picture counted once."""

    def __init__(self, accuracy: keras.metrics.Metric) -> None:
        self.loss = keras.metrics.Mean("loss")
        self.accuracy = accuracy

    @property
    def variables(self) -> list[keras.Variable]:
        """The accumulators."""
        return [*self.loss.variables, *self.accuracy.variables]

    def reset(self) -> None:
        """Begin anew."""
        self.loss.reset_state()
        self.accuracy.reset_state()

    def read(self) -> tuple[float, float]:
        """Loss and accuracy so far."""
        return float(self.loss.result()), float(self.accuracy.result())


class Steps:
    """The steps of a compiled model. Both return the running loss; reading that tensor waits for the step."""

    def __init__(self, model: keras.Model, head: Head, examples: Examples) -> None:
        self._model = model
        self.training = Figures(accuracy_for(head))
        self.validation = Figures(accuracy_for(head))
        batch = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in examples]
        self.train = tf.function(self._train, input_signature=batch, autograph=False)
        self.validate = tf.function(self._validate, input_signature=batch, autograph=False)

    def settle(self) -> None:
        """No step comes any more: there is nobody else to hear from."""

    def _train(self, pictures: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        model, weighted = self._model, self._model.trainable_variables
        with tf.GradientTape() as tape:
            scores = model(pictures, training=True)
            loss = model.compute_loss(
                pictures, targets, scores, weights, training=True
            )  # with the penalties (L1, L2)
        model.optimizer.apply_gradients(zip(tape.gradient(loss, weighted), weighted, strict=True))
        return self._count(self.training, loss, targets, scores)

    def _validate(self, pictures: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        scores = self._model(pictures, training=False)
        loss = self._model.compute_loss(pictures, targets, scores, weights, training=False)
        return self._count(self.validation, loss, targets, scores)

    @staticmethod
    def _count(figures: Figures, loss: tf.Tensor, targets: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        figures.loss.update_state(loss, sample_weight=tf.shape(scores)[0])
        figures.accuracy.update_state(targets, scores)
        return figures.loss.result()
