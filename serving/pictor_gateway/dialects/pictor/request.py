"""What a client may send to `/v1/classify`, and what it means."""

import json
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pictor_gateway.dialects.pictor.multipart import read_multipart
from pictor_gateway.encoded import Base64Picture, EncodedPicture
from pictor_gateway.errors import MalformedRequest, TooManyPictures, UnsupportedMediaType, UrlNotEnabled

_JSON = "application/json"
_CURL = "application/x-www-form-urlencoded"
_CONTAINERS = (_JSON, "multipart/form-data")
_JSON_FORMS = '{"image": {"b64": "..."}} or {"images": [{"b64": "..."}, ...]}'


class ClassifyQuery(BaseModel):
    """The parameters in the address; an unknown one is refused, because it is a misspelt one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        str | None, Field(description="Model to ask; not needed when there is one, or a default.")
    ] = None
    version: Annotated[
        int | None, Field(ge=0, description="Exactly this version, if it is loaded; otherwise the newest.")
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
class SentPictures:
    """The pictures of one request. `several`: sent as a list, so answered as one, whatever its length."""

    pictures: tuple[EncodedPicture, ...]
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


def read_pictures(content_type: str, body: bytes, most: int) -> SentPictures:
    """Take the pictures out of a body that is not raw. Slow for a large body: not for the event loop.

    Raises:
        MalformedRequest: the body is not what `content_type` says.
        TooManyPictures: more than `most`.
        UrlNotEnabled: it asks for a picture from elsewhere.
    """
    sent = _from_json(body) if _kind(content_type) == _JSON else _from_multipart(content_type, body)
    if len(sent.pictures) > most:
        raise TooManyPictures(f"The request has {len(sent.pictures)} pictures; at most {most} are allowed.")
    return sent


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _from_multipart(content_type: str, body: bytes) -> SentPictures:
    parts = read_multipart(content_type, body)
    if unknown := sorted({name for name, _ in parts} - {"file", "files"}):
        raise MalformedRequest(
            f"The form has the fields {', '.join(unknown)[:200]}. Pictures go in file (or files: a list), "
            "parameters in the address, as in ?top_k=3."
        )
    if not parts:
        raise MalformedRequest("The form has no field file with a picture.")
    several = len(parts) > 1 or parts[0][0] == "files"
    return SentPictures(tuple(content for _, content in parts), several)


def _from_json(body: bytes) -> SentPictures:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"The body is not JSON ({str(error)[:200]}).") from error
    match document:
        case {"image": image, **rest} if not rest:
            return SentPictures((_json_picture(image, "image"),), several=False)
        case {"images": [_, *_] as images, **rest} if not rest:
            pictures = tuple(_json_picture(image, f"images[{i}]") for i, image in enumerate(images))
            return SentPictures(pictures, several=True)
    raise MalformedRequest(f"The JSON must be {_JSON_FORMS}, with nothing else in it.")


def _json_picture(image: object, where: str) -> Base64Picture:
    match image:
        case {"b64": str(text), **rest} if not rest:
            return Base64Picture(text)
        case {"url": _}:
            raise UrlNotEnabled(f"{where} has a url, which is not fetched. Send b64.")
    raise MalformedRequest(f'{where} must be {{"b64": "<base64 text>"}}, with nothing else in it.')
