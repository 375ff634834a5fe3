"""TensorFlow's tensors as messages, read by its rules: short values are repeated, wrong lengths refused."""

from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tfs.apis import TensorProto, types_pb2

Array = NDArray[Any]

_MOST_ELEMENTS: Final = 1 << 31
_FORMS: Final = MappingProxyType(
    {
        types_pb2.DT_FLOAT: (np.dtype(np.float32), "float_val"),
        types_pb2.DT_DOUBLE: (np.dtype(np.float64), "double_val"),
        types_pb2.DT_INT32: (np.dtype(np.int32), "int_val"),
        types_pb2.DT_UINT8: (np.dtype(np.uint8), "int_val"),
        types_pb2.DT_INT64: (np.dtype(np.int64), "int64_val"),
        types_pb2.DT_BOOL: (np.dtype(np.bool_), "bool_val"),
        types_pb2.DT_STRING: (np.dtype(object), "string_val"),
    }
)
_NUMBERS: Final = MappingProxyType({dtype: number for number, (dtype, _) in _FORMS.items()})


class MalformedTensor(Exception):
    """It is no tensor."""


def to_array(tensor: TensorProto) -> Array:
    """Return the tensor's values.

    Raises:
        MalformedTensor: type, shape and content do not go together.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    count = 1
    for size in shape:
        count *= size
    if tensor.dtype not in _FORMS or tensor.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise MalformedTensor
    if count > _MOST_ELEMENTS:
        raise MalformedTensor
    dtype, field = _FORMS[tensor.dtype]
    if tensor.tensor_content:
        if dtype.hasobject or len(tensor.tensor_content) != count * dtype.itemsize:
            raise MalformedTensor
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    given = list(getattr(tensor, field))[:count]
    values = np.full(count, given[-1] if given else b"" if dtype.hasobject else 0, dtype)
    values[: len(given)] = given
    return values.reshape(shape)


def from_array(array: Array, *, as_content: bool) -> TensorProto:
    """Return the message: values one by one, as the server answers by default, or the bytes of all."""
    tensor = TensorProto(dtype=dtype_of(array))
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    dtype, field = _FORMS[tensor.dtype]
    if as_content and not dtype.hasobject:
        tensor.tensor_content = array.tobytes()
    else:
        getattr(tensor, field).extend(array.ravel().tolist())
    return tensor


def dtype_of(array: Array) -> int:
    """Return the number TensorFlow has for the array's type."""
    return int(_NUMBERS[array.dtype])


def dtype_name(number: int) -> str:
    """Return the name the server's texts have for a type: "uint8"."""
    return str(types_pb2.DataType.Name(number)).removeprefix("DT_").lower()


def shape_text(shape: "tuple[int | None, ...]") -> str:
    """Return a shape as the server's texts have it: [?,8,8,3]."""
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"
