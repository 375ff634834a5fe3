"""Read an inference request: JSON, and behind it the bytes of the tensor that is not in the JSON."""

from dataclasses import dataclass
from math import prod

import orjson

from pictor_contract import PictureInput
from pictor_contract.signature import IMAGES, SCORES
from pictor_gateway.dialects.open_inference.members import count, member, objects, required
from pictor_gateway.dialects.open_inference.tensors import read_pictures, refuse_shared_memory
from pictor_gateway.errors import MalformedRequest
from pictor_gateway.request.encoded import SentPicture
from pictor_gateway.request.json_body import Json, refuse_flood, shown
from pictor_gateway.request.length import length_in

JSON_LENGTH_HEADER = "Inference-Header-Content-Length"
"""How many bytes of a body are JSON, if tensors follow it."""

_MICROSECONDS = 1e6

_ALWAYS_PARTS = 100_000
"""Arrays, and values, however few a model's pictures need; they cost some 20 ms at worst."""


@dataclass(frozen=True, slots=True)
class ScoresForm:
    """How the scores are wanted: the `classes` highest with their labels, or all if 0; `binary` or JSON."""

    classes: int
    binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What one request asks. `id` is the client's own; `timeout_s` counts from the request's arrival."""

    id: str | None
    timeout_s: float | None
    pictures: tuple[SentPicture, ...]
    scores: ScoresForm


def json_length(header: str | None) -> int | None:
    """Return how many bytes of the body are JSON; none for all of them.

    Raises:
        MalformedRequest: the header is no length.
    """
    if header is None:
        return None
    length = length_in(header)
    if length is None:
        raise MalformedRequest(f"{JSON_LENGTH_HEADER} must be a number of bytes; received {shown(header)}.")
    return length


def read_infer(
    body: bytes, json_bytes: int | None, picture: PictureInput, most_pictures: int
) -> InferRequest:
    """Read a request. Slow for a large body: not for the event loop.

    Members and parameters that are not known here are ignored, as by other servers of the protocol.
    `picture` is the model's input, `most_pictures` how many of it one request may have.

    Raises:
        MalformedRequest: it is not what the protocol or the model's input says.
        TooManyPictures: more than `most_pictures`.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise MalformedRequest(f"{JSON_LENGTH_HEADER} is {json_bytes}; the body has {len(body)} bytes.")
    text_bytes = len(body) if json_bytes is None else json_bytes
    _check_parts(body, text_bytes, picture, most_pictures)
    document = read_object(memoryview(body)[:text_bytes])
    tail = memoryview(body)[text_bytes:]
    parameters = member(document, "parameters", dict) or {}
    timeout_us = count(parameters, "timeout", "parameters.")
    tensor = _only(objects(required(document, "inputs", list), "inputs"), "inputs", IMAGES)
    return InferRequest(
        id=member(document, "id", str),
        timeout_s=timeout_us / _MICROSECONDS if timeout_us else None,  # 0 is Triton's word for none
        pictures=read_pictures(tensor, tail, picture, most_pictures),
        scores=_scores_form(document, parameters),
    )


def read_object(text: bytes | memoryview) -> Json:
    """Return a JSON object.

    Raises:
        MalformedRequest: it is something else.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The request is not JSON ({error}).") from error
    if not isinstance(document, dict):
        raise MalformedRequest(f"The request must be an object; received {shown(document)}.")
    return document


def _check_parts(body: bytes, text_bytes: int, picture: PictureInput, most_pictures: int) -> None:
    """Refuse more arrays, or more values, than the largest request needs, unread."""
    arrays = most_pictures * (1 + picture.height * (1 + picture.width))
    numbers = most_pictures * prod(picture.shape)
    refuse_flood(
        body,
        f"The JSON has too many arrays and objects, or values: {most_pictures} pictures of {picture.height} "
        f"x {picture.width} pixels need {arrays} and {numbers}.",
        most_lists=arrays + _ALWAYS_PARTS,
        most_commas=arrays + numbers + _ALWAYS_PARTS,
        end=text_bytes,
    )


def _scores_form(document: Json, parameters: Json) -> ScoresForm:
    binary = member(parameters, "binary_data_output", bool, "parameters.") or False
    outputs = objects(member(document, "outputs", list) or [], "outputs")
    if not outputs:
        return ScoresForm(0, binary)
    where = f"The output {SCORES}: "
    wanted = member(_only(outputs, "outputs", SCORES), "parameters", dict, where) or {}
    refuse_shared_memory(wanted, where)
    own = member(wanted, "binary_data", bool, where)
    classes = count(wanted, "classification", where) or 0
    return ScoresForm(classes, binary if own is None else own)


def _only(tensors: list[Json], where: str, name: str) -> Json:
    if len(tensors) != 1:
        raise MalformedRequest(f"{where} must hold one tensor, {name}; received {len(tensors)}.")
    received = required(tensors[0], "name", str, f"{where}[0].")
    if received != name:
        raise MalformedRequest(f"{where} must hold one tensor, {name}; received {shown(received)}.")
    return tensors[0]
