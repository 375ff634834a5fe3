"""Read the JSON object that a body is."""

import orjson

from pictor_gateway.errors import MalformedRequest
from pictor_gateway.request.json_body import BYTE_ORDER_MARK, Json, refuse_flood, repeats_a_key, shown

_KINDS = {type(None): "Null", str: "String", list: "Array", dict: "Object"}

_ALWAYS_LISTS = 250_000
_ALWAYS_NUMBERS = 1_000_000
"""Read in some 40 ms at worst."""


def read_object(body: bytes, most_numbers: int, most_lists: int) -> Json:
    """Return the object. Slow for a large body: not for the event loop.

    Raises:
        MalformedRequest: the body is something else, or not JSON at all, or has too many parts.
    """
    refuse_flood(
        body,
        "The document has more lists or numbers than the pictures of a request can have",
        most_lists=max(most_lists, _ALWAYS_LISTS),
        most_commas=max(most_numbers, _ALWAYS_NUMBERS),
    )
    text = body.removeprefix(BYTE_ORDER_MARK)
    if not text:
        raise MalformedRequest("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise MalformedRequest(f"JSON Value: {shown(document)} Is not object")
    return document


def refuse_repeated_keys(body: bytes, document: Json) -> None:
    """Refuse an object that has a key twice.

    Raises:
        MalformedRequest: it has.
    """
    if repeats_a_key(body, document):
        raise MalformedRequest("JSON Parse error: a key is repeated within one object")


def kind(value: object) -> str:
    """Return the JSON type of a value."""
    return str(value) if isinstance(value, bool) else _KINDS.get(type(value), "Number")
