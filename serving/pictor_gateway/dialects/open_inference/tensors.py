"""The pictures in the tensor `images`: raw pixels or encoded files, in the JSON or in the bytes behind it."""

import struct
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictor_contract import PictureInput
from pictor_contract.signature import IMAGES
from pictor_gateway.dialects.open_inference.members import count, member, required
from pictor_gateway.errors import InvalidTensor, MalformedRequest
from pictor_gateway.request.encoded import Base64Picture, RawPixels, SentPicture, check_number
from pictor_gateway.request.json_body import Json, shown

PIXELS = "UINT8"
"""Datatype of raw pixels [N, height, width, channels]."""

FILES = "BYTES"
"""Datatype of encoded pictures [N] or [N, 1]: base64 in JSON, the files' own bytes behind it."""

LENGTH = struct.Struct("<I")
"""What stands before each BYTES element outside the JSON."""

SHARED_MEMORY = "shared_memory_region"
"""Parameter of a tensor that lies in the server's own memory."""

_WHERE = f"The tensor {IMAGES}: "
_PIXEL_RANK = 4
_MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Tensor:
    """The tensor as declared: at least one picture, at most as many as allowed."""

    datatype: str
    shape: list[int]

    @property
    def elements(self) -> int:
        return prod(self.shape)


def read_pictures(
    tensor: Json, tail: memoryview, picture: PictureInput, most: int
) -> tuple[SentPicture, ...]:
    """Return the pictures of `tensor`; `tail` is all that came behind the JSON.

    Raises:
        InvalidTensor: pixels of another shape than `picture` has; not one of them was read.
        MalformedRequest: shape, datatype and data do not agree.
        TooManyPictures: more than `most`.
    """
    parameters = member(tensor, "parameters", dict, _WHERE) or {}
    refuse_shared_memory(parameters, _WHERE)
    declared = _Tensor(required(tensor, "datatype", str, _WHERE), required(tensor, "shape", list, _WHERE))
    _check_shape(declared, most)
    _check_pixels_fit(declared, picture)
    size = count(parameters, "binary_data_size", _WHERE)
    data = member(tensor, "data", list, _WHERE)
    if (size is None) == (data is None):
        raise MalformedRequest(f"{_WHERE}give either data or the parameter binary_data_size.")
    if (size or 0) != len(tail):
        raise MalformedRequest(
            f"{_WHERE}binary_data_size is {size or 0}, but {len(tail)} bytes follow the JSON. The header "
            "Inference-Header-Content-Length says where the JSON ends."
        )
    if declared.datatype == PIXELS:
        return _binary_pixels(declared, tail) if data is None else _json_pixels(declared, data)
    return _binary_files(declared, tail) if data is None else _json_files(declared, data)


def refuse_shared_memory(parameters: Json, where: str) -> None:
    """Refuse a tensor that is not in the request, or shall not be in the answer.

    Raises:
        MalformedRequest: it lies in shared memory.
    """
    if SHARED_MEMORY in parameters:
        raise MalformedRequest(f"{where}shared memory is not supported. Send the data in the request.")


def _check_shape(declared: _Tensor, most: int) -> None:
    shape = declared.shape
    forms = {PIXELS: len(shape) == _PIXEL_RANK, FILES: len(shape) == 1 or shape[1:] == [1]}
    if declared.datatype not in forms:
        raise MalformedRequest(
            f"{_WHERE}datatype must be {PIXELS} (pixels) or {FILES} (picture files); received "
            f"{shown(declared.datatype)}."
        )
    if not forms[declared.datatype]:
        raise MalformedRequest(
            f"{_WHERE}shape must be [N, height, width, channels] for {PIXELS}, [N] or [N, 1] for {FILES}; "
            f"received {_shown_shape(shape)} with {declared.datatype}."
        )
    if not all(type(side) is int and side > 0 for side in shape):
        raise MalformedRequest(
            f"{_WHERE}shape must be whole numbers above 0; received {_shown_shape(shape)}."
        )
    check_number(shape[0], most)


def _check_pixels_fit(declared: _Tensor, picture: PictureInput) -> None:
    """Refuse by what is declared, for as many numbers as a body has room for are slow to look at."""
    if declared.datatype == PIXELS and tuple(declared.shape[1:]) != picture.shape:
        raise InvalidTensor(
            f"{_WHERE}shape must be [N, height, width, channels], here N times {list(picture.shape)}; "
            f"received {_shown_shape(declared.shape[1:])}."
        )


def _binary_pixels(declared: _Tensor, tail: memoryview) -> tuple[SentPicture, ...]:
    if len(tail) != declared.elements:
        raise _wrong_count(declared, len(tail), "bytes")
    return _split(np.frombuffer(tail, np.uint8), declared)


def _json_pixels(declared: _Tensor, data: list[Any]) -> tuple[SentPicture, ...]:
    numbers = _flat(declared, data)
    if set(map(type, numbers)) != {int}:  # `bytes` would take true for 1
        raise _wrong_level()
    try:
        levels = bytes(numbers)
    except ValueError as error:
        raise _wrong_level() from error
    return _split(np.frombuffer(levels, np.uint8), declared)


def _split(levels: NDArray[np.uint8], declared: _Tensor) -> tuple[SentPicture, ...]:
    return tuple(RawPixels(picture) for picture in levels.reshape(declared.shape))


def _binary_files(declared: _Tensor, tail: memoryview) -> tuple[SentPicture, ...]:
    pictures = []
    begin = 0
    for index in range(declared.shape[0]):
        content = begin + LENGTH.size
        if content > len(tail):
            raise MalformedRequest(f"{_WHERE}it ends before element {index} of {declared.shape[0]}.")
        (length,) = LENGTH.unpack_from(tail, begin)
        begin = content + length
        if begin > len(tail):
            raise MalformedRequest(
                f"{_WHERE}element {index} says it has {length} bytes; {len(tail) - content} are left."
            )
        pictures.append(bytes(tail[content:begin]))
    if begin != len(tail):
        raise MalformedRequest(f"{_WHERE}{len(tail) - begin} bytes follow its {declared.shape[0]} elements.")
    return tuple(pictures)


def _json_files(declared: _Tensor, data: list[Any]) -> tuple[SentPicture, ...]:
    texts = _flat(declared, data)
    for index, text in enumerate(texts):
        if type(text) is not str:
            raise MalformedRequest(
                f"{_WHERE}element {index} must be a picture as base64 text; received {shown(text)}."
            )
    return tuple(Base64Picture(text) for text in texts)


def _flat(declared: _Tensor, data: list[Any]) -> list[Any]:
    """Return the elements in row-major order; both are legal, flat data and data nested as the shape says."""
    if not data or type(data[0]) is not list:
        if len(data) != declared.elements:
            raise _wrong_count(declared, len(data), "elements")
        return data
    level = [data]
    for depth, side in enumerate(declared.shape):
        if not all(type(part) is list and len(part) == side for part in level):
            raise MalformedRequest(
                f"{_WHERE}data is not nested as its shape {_shown_shape(declared.shape)} says, at "
                f"dimension {depth}. Flat data is read as well."
            )
        level = list(chain.from_iterable(level))
    return level


def _wrong_count(declared: _Tensor, received: int, what: str) -> MalformedRequest:
    return MalformedRequest(
        f"{_WHERE}its shape {_shown_shape(declared.shape)} takes {declared.elements} {what}; received "
        f"{received}."
    )


def _wrong_level() -> MalformedRequest:
    return MalformedRequest(f"{_WHERE}pixels must be whole numbers from 0 to 255.")


def _shown_shape(shape: list[Any]) -> str:
    sides = ", ".join(shown(side) for side in shape[:_MOST_SHOWN])
    return f"[{sides}{', ...' if len(shape) > _MOST_SHOWN else ''}]"
