"""The requests that TensorFlow Serving runs on a new version before it answers any other.

They take the first, slow run of every batch size away from callers, and they keep the server from loading a
half-copied version, whose variables are missing: without them it would load, and fail every request.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from pictor_contract import ImageContract
from pictor_contract.signature import IMAGES
from pictor_training.errors import ConfigError

MAX_RECORDS = 1000
"""TensorFlow Serving refuses the version above this."""


def write_warmup(picture: NDArray[np.uint8], contract: ImageContract, file: Path) -> None:
    """Write one request per allowed batch size, each of `picture` repeated."""
    if len(contract.allowed_batch_sizes) > MAX_RECORDS:
        raise ConfigError(
            f"export.batch_sizes has {len(contract.allowed_batch_sizes)} sizes; TensorFlow Serving warms up "
            f"{MAX_RECORDS} at most. Name fewer."
        )
    with tf.io.TFRecordWriter(str(file)) as writer:
        for size in contract.allowed_batch_sizes:
            writer.write(
                _record(np.repeat(picture[np.newaxis], size, axis=0), contract.name).SerializeToString()
            )


def read_warmup(file: Path) -> list[prediction_log_pb2.PredictionLog]:
    """Read the records back, as TensorFlow Serving does."""
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def _record(batch: NDArray[np.uint8], name: str) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = "serving_default"
    tensor = request.inputs[IMAGES]
    tensor.dtype = tf.uint8.as_datatype_enum
    for side in batch.shape:
        tensor.tensor_shape.dim.add(size=side)
    tensor.tensor_content = batch.tobytes()
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
