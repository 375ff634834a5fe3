"""What is said to TensorFlow Serving and what it answers, as bytes: the one place that knows its messages."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from pictor_contract.signature import CONTRACT, IMAGES, PROBE, SCORES
from pictor_tfs.wire import serving_pb2 as wire

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
MODEL_STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD: Final = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

ServerState = Literal["loading", "available", "unloading", "ended"]
"""TensorFlow Serving's states of a version."""

_States = wire.ModelVersionStatus
_STATES: Final = MappingProxyType[int, ServerState](
    {
        _States.START: "loading",
        _States.LOADING: "loading",
        _States.AVAILABLE: "available",
        _States.UNLOADING: "unloading",
        _States.END: "ended",
    }
)
_FLOAT_BYTES: Final = 4
_LENGTH_DELIMITED: Final = 2
_SEVEN_BITS: Final = 0x7F
_MORE: Final = 0x80
_MAP_KEY, _MAP_VALUE = 1, 2

_Answer = TypeVar("_Answer", bound=Message)


class InvalidAnswer(Exception):
    """A server answered something that is not what was asked for; the message is for logs."""


@dataclass(frozen=True, slots=True)
class VersionReport:
    """One version as a server reports it; `error_code` is a number of gRPC's."""

    version: int
    state: ServerState
    error_code: int
    message: str


def images_request(name: str, version: int, pictures: NDArray[np.uint8]) -> bytes:
    """Ask version `version` of `name` for the scores of `pictures` [N, H, W, C]."""
    # A message object would copy the pictures three times: 13 ms for 5 MB, while the event loop stands still.
    # Here they are copied once, behind the bytes that announce them.
    model = wire.ModelSpec(name=name)
    model.version.value = version
    dims = [wire.TensorShapeProto.Dim(size=size) for size in pictures.shape]
    shape = wire.TensorShapeProto(dim=dims)
    tensor = wire.TensorProto(dtype=wire.DT_UINT8, tensor_shape=shape).SerializeToString()
    tensor += _head(wire.TensorProto.TENSOR_CONTENT_FIELD_NUMBER, pictures.nbytes)
    entry = _field(_MAP_KEY, IMAGES.encode()) + _head(_MAP_VALUE, len(tensor) + pictures.nbytes) + tensor
    parts = (
        _field(wire.PredictRequest.MODEL_SPEC_FIELD_NUMBER, model.SerializeToString()),
        _head(wire.PredictRequest.INPUTS_FIELD_NUMBER, len(entry) + pictures.nbytes),
        entry,
        np.ascontiguousarray(pictures).data,
        _field(wire.PredictRequest.OUTPUT_FILTER_FIELD_NUMBER, SCORES.encode()),
    )
    return b"".join(parts)


def contract_request(name: str, *, version: int | None = None, label: str | None = None) -> bytes:
    """Ask a version, a label's version, or by default the newest version, for its contract."""
    request = wire.PredictRequest(output_filter=[CONTRACT])
    request.model_spec.name = name
    request.model_spec.signature_name = CONTRACT
    if version is not None:
        request.model_spec.version.value = version
    elif label is not None:
        request.model_spec.version_label = label
    probe = request.inputs[PROBE]
    probe.dtype = wire.DT_INT32
    probe.tensor_shape.dim.add(size=1)
    probe.int_val.append(0)
    return request.SerializeToString()


def status_request(name: str) -> bytes:
    """Ask for the states of every version of `name`."""
    return wire.GetModelStatusRequest(model_spec=wire.ModelSpec(name=name)).SerializeToString()


def reload_request(config: wire.ModelServerConfig) -> bytes:
    """Tell a server to serve what `config` says, and nothing else.

    It answers when models that are new to it have a version that answers, and at once if there are none: a
    version more of a model it has is then not loaded yet.
    """
    return wire.ReloadConfigRequest(config=config).SerializeToString(deterministic=True)


def read_scores(answer: bytes, pictures: int, labels: int) -> NDArray[np.float32]:
    """Return the scores [pictures, labels], read-only or not; whether they are finite is not looked at.

    Raises:
        InvalidAnswer: they are not there, or of another type or shape.
    """
    tensor = _output(_parse(wire.PredictResponse, answer), SCORES, wire.DT_FLOAT)
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if shape != [pictures, labels]:
        raise InvalidAnswer(f"scores have the shape {shape}; by the contract it is {[pictures, labels]}")
    count = pictures * labels
    if tensor.tensor_content:
        content = tensor.tensor_content
        if len(content) != count * _FLOAT_BYTES:
            raise InvalidAnswer(f"{count} scores came as {len(content)} bytes")
        return np.frombuffer(content, "<f4").reshape(pictures, labels)
    # TensorFlow repeats the last of too few values. No model means that: the answer was cut.
    if len(tensor.float_val) != count:
        raise InvalidAnswer(f"{len(tensor.float_val)} scores came where {count} were announced")
    return np.array(tensor.float_val, np.float32).reshape(pictures, labels)


def read_contract(answer: bytes) -> tuple[int, str]:
    """Return which version answered, and its contract as JSON.

    Raises:
        InvalidAnswer: there is no such text.
    """
    response = _parse(wire.PredictResponse, answer)
    texts = _output(response, CONTRACT, wire.DT_STRING).string_val
    if len(texts) != 1:
        raise InvalidAnswer(f"{len(texts)} contracts came where one was asked for")
    try:
        return _version_of(response), texts[0].decode()
    except UnicodeDecodeError as error:
        raise InvalidAnswer("the contract is no UTF-8 text") from error


def read_status(answer: bytes) -> tuple[VersionReport, ...]:
    """Return what is reported of each version, in the server's order.

    Raises:
        InvalidAnswer: it cannot be read.
    """
    response = _parse(wire.GetModelStatusResponse, answer)
    return tuple(
        VersionReport(
            version=one.version,
            # A state of a later release: whatever it is, the version is not known to answer.
            state=_STATES.get(one.state, "loading"),
            error_code=one.status.error_code,
            message=one.status.error_message.decode(errors="replace"),
        )
        for one in response.model_version_status
    )


def check_reloaded(answer: bytes) -> None:
    """Return if a server has taken its new configuration.

    Raises:
        InvalidAnswer: it cannot be read, or tells of a failure.
    """
    status = _parse(wire.ReloadConfigResponse, answer).status
    if status.error_code:
        words = status.error_message.decode(errors="replace")
        raise InvalidAnswer(f"the reload failed with code {status.error_code}: {words}")


def _parse(form: type[_Answer], answer: bytes) -> _Answer:
    try:
        return form.FromString(answer)
    except DecodeError as error:
        raise InvalidAnswer(f"{len(answer)} bytes that are no {form.DESCRIPTOR.name}") from error


def _output(response: wire.PredictResponse, name: str, dtype: int) -> wire.TensorProto:
    if name not in response.outputs:
        raise InvalidAnswer(f"the outputs are {sorted(response.outputs)}; {name!r} was asked for")
    tensor = response.outputs[name]
    if tensor.dtype != dtype:
        raise InvalidAnswer(f"{name} has the data type {tensor.dtype}; by the contract it is {dtype}")
    return tensor


def _version_of(response: wire.PredictResponse) -> int:
    if response.model_spec.WhichOneof("version_choice") != "version":
        raise InvalidAnswer("it does not say which version answered")
    return response.model_spec.version.value


def _field(number: int, content: bytes) -> bytes:
    return _head(number, len(content)) + content


def _head(number: int, length: int) -> bytes:
    """Begin a field of bytes: its number and its length, in protobuf's groups of seven bits."""
    tag = number << 3 | _LENGTH_DELIMITED
    groups = [tag]
    while length > _SEVEN_BITS:
        groups.append(length & _SEVEN_BITS | _MORE)
        length >>= 7
    return bytes((*groups, length))
