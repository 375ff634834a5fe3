"""Nested lists of numbers as pixels: strictly whole, 0 to 255, and of the shape that the model takes."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictor_gateway.dialects.tensorflow_serving.document import kind
from pictor_gateway.errors import InvalidTensor
from pictor_gateway.request.json_body import shown

_HIGHEST_LEVEL = 255
_LAST_TWO = 2
_MOST_SIDES_SHOWN = 8


def pixels_of(picture: list[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return one picture's pixels. Another shape costs nothing: it is refused before a number is read.

    Raises:
        InvalidTensor: another shape, lists of unequal lengths, or something that is no level of a pixel.
    """
    received = _sides(picture)
    if received != list(shape):
        raise InvalidTensor(
            f"Expecting shape {list(shape)} (height, width, channels) but got: {_shown_sides(received)}"
        )
    return np.frombuffer(_levels(picture, shape), np.uint8).reshape(shape)


def _sides(value: object) -> list[int]:
    """Return the lengths of the nested lists, by the first of each."""
    sides = []
    while isinstance(value, list):
        sides.append(len(value))
        value = value[0] if value else None
    return sides


def _shown_sides(sides: list[int]) -> str:
    more = " and more" if len(sides) > _MOST_SIDES_SHOWN else ""
    return f"{sides[:_MOST_SIDES_SHOWN]}{more}"


def _levels(items: list[Any], shape: tuple[int, ...]) -> bytes:
    """Flatten the last two dimensions in one go; more at once would hold the interpreter for too long."""
    if len(shape) > _LAST_TWO:
        _check_lists(items, shape[1])
        return b"".join(_levels(item, shape[1:]) for item in items)
    if len(shape) == _LAST_TWO:
        _check_lists(items, shape[1])
        items = list(chain.from_iterable(items))
    if set(map(type, items)) == {int}:  # `bytes` would take true for 1
        try:
            return bytes(items)
        except ValueError:
            pass  # not a byte; said below which
    odd = next(one for one in items if type(one) is not int or not 0 <= one <= _HIGHEST_LEVEL)
    raise InvalidTensor(
        f"JSON Value: {shown(odd)} Type: {kind(odd)} is not of expected type: uint8 "
        f"(a whole number from 0 to {_HIGHEST_LEVEL})"
    )


def _check_lists(items: list[Any], length: int) -> None:
    for item in items:
        if not isinstance(item, list):
            raise InvalidTensor(f"JSON Value: {shown(item)} found where a list of {length} is expected")
        if len(item) != length:
            raise InvalidTensor(f"Encountered list at unexpected size: {len(item)} expected size: {length}")
