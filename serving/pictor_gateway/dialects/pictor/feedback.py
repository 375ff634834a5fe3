"""The handler of `/v1/feedback`, and what may be sent to it."""

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import JSONResponse, Response

from pictor_gateway.capturing.feedback import Judged
from pictor_gateway.errors import FeedbackNotEnabled, MalformedRequest, UnsupportedMediaType
from pictor_gateway.gateway import gateway_of
from pictor_gateway.request.body import read_body
from pictor_gateway.request.json_body import BYTE_ORDER_MARK, refuse_flood, repeats_a_key
from pictor_gateway.request.time_limit import TimeLimit, budget_of, time_limit
from pictor_gateway.telemetry.facts import facts_of

MOST_BYTES = 64 * 1024
"""Of a body: a few hundred labels."""

_MOST_PARTS = 2000
_FORM = '{"prediction_id": "...", "label": "..."}'


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a client says of one prediction."""

    prediction_id: str
    label: str | list[str]


async def give_feedback(request: Request) -> Response:
    """Say what is in a picture that was answered, by the answer's `prediction_id`.

    `predicted` and `correct` tell what the model had said. To send it again changes nothing; another label
    for the same prediction takes the earlier one's place.
    """
    gateway, facts = gateway_of(request), facts_of(request)
    desk = gateway.feedback
    if desk is None:
        raise FeedbackNotEnabled("The operator of this gateway takes no feedback.")
    async with time_limit(facts) as limit:
        given = read_feedback(await _receive(request, limit))
        facts.stage = "write"
        judged = await desk.take(given.prediction_id, given.label, gateway.backend.models())
    return JSONResponse(_answer(given, judged))


def read_feedback(body: bytes) -> Feedback:
    """Take the feedback out of a body, which is small enough for the event loop.

    Raises:
        MalformedRequest: it is no such JSON.
    """
    refusal = f"The JSON has more parts than feedback needs; it must be {_FORM}."
    refuse_flood(body, refusal, most_lists=2, most_commas=_MOST_PARTS)
    try:
        document: object = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON ({str(error)[:200]}).") from error
    if isinstance(document, dict) and repeats_a_key(body, document):
        raise MalformedRequest("The JSON has a key twice within one object.")
    match document:
        case {"prediction_id": str(prediction_id), "label": label, **rest} if not rest and _is_label(label):
            return Feedback(prediction_id, label)
    raise MalformedRequest(
        f"The JSON must be {_FORM}, with nothing else in it; of a model that gives several, label is a list."
    )


async def _receive(request: Request, limit: TimeLimit) -> bytes:
    """Return the body. It takes no place of work: the pictures need them, and the disk may be slow."""
    gateway = gateway_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType(f"The Content-Type is {kind[:100]!r}. Send application/json.")
    settings = gateway.settings
    budget_s = budget_of(request.headers, settings.max_request_timeout_s)
    if budget_s is not None:
        limit.end_after_arrival(budget_s)
    with gateway.admission.receiving() as take:
        body = await read_body(request, MOST_BYTES, settings.receive_timeout_s, compressible=True, take=take)
    if budget_s is None:
        limit.end_in(settings.request_timeout_s)
    return body


def _is_label(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _answer(given: Feedback, judged: Judged) -> dict[str, Any]:
    predicted: str | list[str] | None = None
    if judged.predicted is not None:
        predicted = list(judged.predicted) if judged.several else next(iter(judged.predicted), None)
    return {
        "prediction_id": given.prediction_id,
        "label": given.label,
        "predicted": predicted,
        "correct": judged.correct,
    }
