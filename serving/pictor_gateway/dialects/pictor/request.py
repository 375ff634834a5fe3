"""What a client may send to `/v1/classify`, and what it means."""

from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field

from pictor_gateway.dialects.pictor.multipart import read_multipart
from pictor_gateway.errors import MalformedRequest, UnsupportedMediaType
from pictor_gateway.request.encoded import Base64Picture, LinkedPicture
from pictor_gateway.request.json_body import BYTE_ORDER_MARK, refuse_flood, repeats_a_key

_JSON = "application/json"
_CURL = "application/x-www-form-urlencoded"
_CONTAINERS = (_JSON, "multipart/form-data")
_JSON_FORMS = '{"image": {"b64": "..."}} or {"images": [{"b64": "..."}, ...]}'

_ALWAYS_PARTS = 10_000
"""Brackets and commas beside those that pictures need: URLs may have some. Read in a millisecond."""

RequestedPicture = bytes | Base64Picture | LinkedPicture


class ClassifyQuery(BaseModel):
    """The parameters in the address; an unknown one is refused, because it is a misspelt one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        str | None, Field(description="Model to ask; not needed when there is one, or a default.")
    ] = None
    version: Annotated[
        int | None, Field(ge=0, description="Exactly this version, if it is loaded; otherwise the newest.")
    ] = None
    label: Annotated[
        str | None, Field(description="The version with this label, such as stable, instead of a number.")
    ] = None
    top_k: Annotated[
        int | None,
        Field(ge=1, description="Most predictions per picture; more than there are labels gives all."),
    ] = None
    threshold: Annotated[
        float,
        Field(ge=0, le=1, allow_inf_nan=False, description="Predictions with a lower score are left out."),
    ] = 0.0


@dataclass(frozen=True, slots=True)
class RequestedPictures:
    """The pictures of one request. `several`: sent as a list, so answered as one, whatever its length."""

    pictures: tuple[RequestedPicture, ...]
    several: bool


def check_media_type(content_type: str) -> None:
    """Refuse a body that nobody here can read, before it is received.

    Raises:
        UnsupportedMediaType: neither a picture, nor JSON, nor multipart.
    """
    kind = _kind(content_type)
    if kind in ("", "application/octet-stream", *_CONTAINERS) or kind.startswith("image/"):
        return
    hint = (
        " curl sends this unless told otherwise with -H 'Content-Type: image/jpeg'." if kind == _CURL else ""
    )
    raise UnsupportedMediaType(
        f"The Content-Type is {kind[:100]!r}.{hint} Send image/* or application/octet-stream, "
        "multipart/form-data with the field file, or application/json."
    )


def is_raw(content_type: str) -> bool:
    """Whether the body is the picture itself, so that there is nothing to read out of it."""
    return _kind(content_type) not in _CONTAINERS


def read_pictures(content_type: str, body: bytes, most_pictures: int) -> RequestedPictures:
    """Take the pictures out of a body that is not raw. Slow for a large body: not for the event loop.

    `most_pictures` bounds what is tried; a few more than that may be returned.

    Raises:
        MalformedRequest: the body is not what `content_type` says.
    """
    return (
        _from_json(body, most_pictures)
        if _kind(content_type) == _JSON
        else _from_multipart(content_type, body, most_pictures)
    )


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _from_multipart(content_type: str, body: bytes, most_pictures: int) -> RequestedPictures:
    parts = read_multipart(content_type, body, most_pictures)
    if unknown := sorted({name for name, _ in parts} - {"file", "files"}):
        raise MalformedRequest(
            f"The form has the fields {', '.join(unknown)[:200]}. Pictures go in file (or files: a list), "
            "parameters in the address, as in ?top_k=3."
        )
    if not parts:
        raise MalformedRequest("The form has no field file with a picture.")
    several = len(parts) > 1 or parts[0][0] == "files"
    return RequestedPictures(tuple(content for _, content in parts), several)


def _from_json(body: bytes, most_pictures: int) -> RequestedPictures:
    document = _read_json(body, most_pictures)
    match document:
        case {"image": image, **rest} if not rest:
            return RequestedPictures((_json_picture(image, "image"),), several=False)
        case {"images": [_, *_] as images, **rest} if not rest:
            pictures = tuple(_json_picture(image, f"images[{i}]") for i, image in enumerate(images))
            return RequestedPictures(pictures, several=True)
    raise MalformedRequest(f"The JSON must be {_JSON_FORMS}, with nothing else in it.")


def _read_json(body: bytes, most_pictures: int) -> object:
    refuse_flood(
        body,
        f"The JSON has more parts than {most_pictures} pictures need; it must be {_JSON_FORMS}.",
        most_lists=2 + most_pictures + _ALWAYS_PARTS,
        most_commas=2 * most_pictures + _ALWAYS_PARTS,  # one behind each picture, one in a data URI
    )
    try:
        document: object = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON ({str(error)[:200]}).") from error
    if isinstance(document, dict) and repeats_a_key(body, document):
        raise MalformedRequest("The JSON has a key twice within one object.")
    return document


def _json_picture(image: object, where: str) -> Base64Picture | LinkedPicture:
    match image:
        case {"b64": str(text), **rest} if not rest:
            return Base64Picture(text)
        case {"url": str(url), **rest} if not rest:
            return LinkedPicture(url, where)
    raise MalformedRequest(
        f'{where} must be {{"b64": "<base64 text>"}} or {{"url": "https://..."}}, with nothing else in it.'
    )
