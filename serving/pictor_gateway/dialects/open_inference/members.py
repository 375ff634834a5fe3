"""Take members out of JSON that a stranger wrote."""

from typing import Any, TypeVar

from pictor_gateway.errors import MalformedRequest
from pictor_gateway.request.json_body import Json, shown

Member = TypeVar("Member")

_WORDS = {str: "a text", int: "a whole number", bool: "true or false", list: "an array", dict: "an object"}


def member(holder: Json, name: str, kind: type[Member], where: str = "") -> Member | None:
    """Return a member of exactly this kind; absent and null are the same.

    Raises:
        MalformedRequest: it is of another kind.
    """
    value = holder.get(name)
    if value is None or type(value) is kind:  # not isinstance: true would be a whole number
        return value
    raise MalformedRequest(f"{where}{name} must be {_WORDS[kind]}; received {shown(value)}.")


def required(holder: Json, name: str, kind: type[Member], where: str = "") -> Member:
    """Do the same for a member that must be there."""
    value = member(holder, name, kind, where)
    if value is None:
        raise MalformedRequest(f"{where}{name} is missing; it must be {_WORDS[kind]}.")
    return value


def objects(values: list[Any], where: str) -> list[Json]:
    """Return a list of objects.

    Raises:
        MalformedRequest: one of them is something else.
    """
    for index, value in enumerate(values):
        if type(value) is not dict:
            raise MalformedRequest(f"{where}[{index}] must be an object; received {shown(value)}.")
    return values


def count(holder: Json, name: str, where: str) -> int | None:
    """Return a whole number that is not negative, if it is there.

    Raises:
        MalformedRequest: it is something else.
    """
    value = member(holder, name, int, where)
    if value is not None and value < 0:
        raise MalformedRequest(f"{where}{name} must be 0 or more; received {value}.")
    return value
