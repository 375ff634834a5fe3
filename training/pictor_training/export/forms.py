"""The engines that can answer for one model, each loaded the way it is loaded in production.

All run on the CPU: a GPU would round convolutions to ten bits (TF32), which the other engines do not.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import keras
import numpy as np
import onnxruntime
import tensorflow as tf

from pictor_contract import ImageContract
from pictor_contract.signature import CONTRACT, IMAGES, PROBE, SCORES
from pictor_training.evaluation import scores_from_logits
from pictor_training.export.graph import logits_model
from pictor_training.export.parity import Pictures, Scores


class KerasForm:
    """The model itself, its logits made scores by the function that evaluation uses: the reference."""

    def __init__(self, model: keras.Model, contract: ImageContract) -> None:
        self._logits = logits_model(model)
        self._contract = contract

    def __call__(self, pictures: Pictures) -> Scores:
        """Answer `pictures`."""
        with tf.device("/CPU:0"):
            logits = self._logits(tf.cast(pictures, self._logits.inputs[0].dtype), training=False).numpy()
        return scores_from_logits(logits, self._contract.head, self._contract.temperature)


class OnnxForm:
    """The engine of the embedded backend."""

    def __init__(self, file: Path) -> None:
        self._session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def __call__(self, pictures: Pictures) -> Scores:
        """Answer `pictures`."""
        (scores,) = self._session.run([SCORES], {IMAGES: pictures})
        return np.asarray(scores, np.float64)


class ServedForm:
    """A SavedModel in a session over the graph tagged "serve", which is what TensorFlow Serving does.

    `tf.saved_model.load` would not do: it also loads models whose variables the server does not find.
    """

    def __init__(self, folder: Path) -> None:
        self._session, signatures = _load(folder)
        self._scoring, self._telling = signatures["serving_default"], signatures[CONTRACT]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def __call__(self, pictures: Pictures) -> Scores:
        """Answer `pictures`."""
        feed = {self._scoring.inputs[IMAGES].name: pictures}
        return np.asarray(self._session.run(self._scoring.outputs[SCORES].name, feed), np.float64)

    def contract(self, count: int) -> list[bytes]:
        """Ask the signature `contract` with a probe of `count`."""
        feed = {self._telling.inputs[PROBE].name: np.zeros(count, np.int32)}
        return list(self._session.run(self._telling.outputs[CONTRACT].name, feed))


def graph_refuses(folder: Path, pictures: Pictures) -> bool:
    """Whether the SavedModel itself, not a client's check before it, refuses `pictures` for their shape."""
    with tf.Graph().as_default():
        unchecked = tf.compat.v1.placeholder(tf.uint8, shape=None)  # as in TensorFlow Serving
        session, signatures = _load(folder, replaced_images=unchecked)
        with session:
            try:
                session.run(signatures["serving_default"].outputs[SCORES].name, {unchecked: pictures})
            except tf.errors.InvalidArgumentError:
                return True
    return False


def _load(folder: Path, replaced_images: tf.Tensor | None = None) -> tuple[tf.compat.v1.Session, Any]:
    graph = tf.Graph() if replaced_images is None else replaced_images.graph
    session = tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(device_count={"GPU": 0}))
    replaced = None if replaced_images is None else {f"serving_default_{IMAGES}:0": replaced_images}
    tags = [tf.saved_model.SERVING]
    with _without_deprecation_hint():
        loaded = tf.compat.v1.saved_model.load(session, tags, str(folder), input_map=replaced)
    return session, loaded.signature_def


@contextmanager
def _without_deprecation_hint() -> Iterator[None]:
    """Silence TensorFlow's advice to load as the server does not."""
    logger = tf.get_logger()

    def is_news(record: logging.LogRecord) -> bool:
        return "saved_model.loader_impl) is deprecated" not in record.getMessage()

    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)
