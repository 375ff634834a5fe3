"""The served function for ONNX Runtime and other ONNX servers."""

from pathlib import Path

import keras
import onnx
import tensorflow as tf
import tf2onnx

from pictor_contract import ImageContract
from pictor_contract.artifact import ONNX_DIGEST_KEY
from pictor_contract.signature import IMAGES, SCORES
from pictor_training.export.graph import answer, images_spec, logits_model

_OPSET = 17  # of 2022: all that a picture classifier needs, and read by every ONNX Runtime from 1.12 on
_BATCH = "batch"

# tf2onnx copies every constant dozens of times: 24 s and 3.7 GB for 17 million weights. The large ones go
# around it, as inputs that are filled in afterwards (2 s); the small ones go through it and are folded.
_LARGE_BYTES = 1 << 20


def write_onnx(model: keras.Model, contract: ImageContract, file: Path) -> None:
    """Convert the served function, name its batch dimension, and mark it with the contract's digest."""
    logits = logits_model(model)
    large = {f"weight_{number}": weight for number, weight in enumerate(logits.weights) if _is_large(weight)}

    def serve(images: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        with keras.StatelessScope(state_mapping=zip(large.values(), values, strict=True)):
            return answer(images, logits, contract)

    weights = [tf.TensorSpec(weight.shape, weight.dtype, name=name) for name, weight in large.items()]
    signature = [images_spec(contract), *weights]
    traced = tf.function(serve, input_signature=signature, autograph=False)
    proto, _ = tf2onnx.convert.from_function(traced, signature, opset=_OPSET)
    _fill_in(proto, large)
    _name_signature(proto)
    mark = proto.metadata_props.add()
    mark.key, mark.value = ONNX_DIGEST_KEY, contract.digest()
    onnx.checker.check_model(proto, full_check=True)
    file.write_bytes(proto.SerializeToString())


def _is_large(weight: keras.Variable) -> bool:
    return bool(weight.numpy().nbytes > _LARGE_BYTES)


def _fill_in(proto: onnx.ModelProto, weights: dict[str, keras.Variable]) -> None:
    for value in list(proto.graph.input):
        if value.name in weights:
            proto.graph.input.remove(value)
            proto.graph.initializer.append(
                onnx.numpy_helper.from_array(weights[value.name].numpy(), value.name)
            )


def _name_signature(proto: onnx.ModelProto) -> None:
    (images,), (scores,) = proto.graph.input, proto.graph.output
    if (images.name, scores.name) != (IMAGES, SCORES):
        raise AssertionError(f"tf2onnx named the signature {images.name} -> {scores.name}")
    for value in (images, scores):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH
