"""The function that answers in production: uint8 pictures in, calibrated scores out, as a SavedModel.

`ExportArchive.track()` is never called, because it writes every weight twice (keras#23553), nor is
`model.export()`, because it leaves augmentation layers active.
"""

from pathlib import Path

import keras
import tensorflow as tf

from pictor_contract import ImageContract
from pictor_contract.signature import CONTRACT, IMAGES, PROBE, SCORES
from pictor_training.evaluation.score import LOGITS_LAYER


def logits_model(model: keras.Model) -> keras.Model:
    """Cut `model` off after its logits; the weights are shared."""
    return keras.Model(model.inputs, model.get_layer(LOGITS_LAYER).output)


def images_spec(contract: ImageContract) -> tf.TensorSpec:
    """Describe what every engine is asked with: uint8 [N, H, W, C]."""
    return tf.TensorSpec((None, *contract.input.shape), tf.uint8, name=IMAGES)


def answer(images: tf.Tensor, logits: keras.Model, contract: ImageContract) -> dict[str, tf.Tensor]:
    """Answer `images` with calibrated scores, float32 [N, labels]: the one definition for all graphs."""
    # First of all: a request of another rank, should it reach a convolution, ends TensorFlow Serving.
    pictures = tf.ensure_shape(images, images_spec(contract).shape)
    raw = logits(tf.cast(pictures, logits.inputs[0].dtype), training=False)
    return {SCORES: _scores(tf.cast(raw, tf.float32) / contract.temperature, contract)}


def write_saved_model(model: keras.Model, contract: ImageContract, folder: Path) -> None:
    """Write `model` as the signature `serving_default`, and the contract's JSON as the signature `contract`.

    The latter takes an int32 vector `probe` [N] and answers the JSON N times: with batching on, TensorFlow
    Serving refuses signatures without inputs and outputs whose first dimension is not the batch.
    """
    logits = logits_model(model)
    text = contract.to_json()

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(images, logits, contract)

    def tell_contract(probe: tf.Tensor) -> dict[str, tf.Tensor]:
        return {CONTRACT: tf.fill([tf.shape(probe)[0]], tf.constant(text))}

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serve, [images_spec(contract)])
    archive.add_endpoint(CONTRACT, tell_contract, [tf.TensorSpec((None,), tf.int32, name=PROBE)])
    archive.write_out(str(folder), verbose=False)


def _scores(logits: tf.Tensor, contract: ImageContract) -> tf.Tensor:
    if contract.head == "multiclass":
        return tf.nn.softmax(logits)
    if contract.head == "binary":  # one unit; sigmoid(-z) is 1 - sigmoid(z), without the rounding near 1
        return tf.sigmoid(tf.concat([-logits, logits], axis=-1))
    return tf.sigmoid(logits)
