"""What every reader of JSON bodies needs: a guard before the parser, and words for what was found."""

from typing import Any

import orjson

from pictor_gateway.errors import MalformedRequest

Json = dict[str, Any]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Windows' tools write it before the JSON."""

_MOST_SHOWN = 60


def refuse_flood(
    body: bytes, refusal: str, *, most_lists: int, most_commas: int, end: int | None = None
) -> None:
    """Refuse JSON (up to `end`) with more lists and objects, or more commas, than honest bodies have, unread.

    The parser holds the interpreter until it is done: for most of a second, if ten megabytes are nothing but
    empty lists. Each further list needs a bracket and each further value a comma, and to count them is quick.

    Raises:
        MalformedRequest: it has more; `refusal` says so.
    """
    lists = body.count(b"[", 0, end) + body.count(b"{", 0, end)
    if lists > most_lists or body.count(b",", 0, end) > most_commas:
        raise MalformedRequest(refusal)


def repeats_a_key(body: bytes, document: Json) -> bool:
    """Whether an object has a key twice: parsers differ in which of the two they believe.

    A lost member is a lost text, so the texts between quotation marks are counted against those that are
    left. The first count trusts that lists of numbers hold nothing else.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    written = unescaped.count(b'"') // 2
    return _texts(document, trusting=True) != written and _texts(document, trusting=False) != written


def shown(value: object) -> str:
    """Return a few words for a value of any size, as JSON writes it."""
    if isinstance(value, list | dict):
        return "[...]" if isinstance(value, list) else "{...}"
    text = orjson.dumps(value[:_MOST_SHOWN] if isinstance(value, str) else value).decode()
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def _texts(document: Json, *, trusting: bool) -> int:
    """Count keys and text values."""
    found = 0
    left: list[Any] = [document]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found += 1
        elif isinstance(value, dict):
            found += len(value)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(one for one in value if not (trusting and _begins_with_a_number(one)))
    return found


def _begins_with_a_number(value: object) -> bool:
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, int | float)
