"""The handlers of `/v1/classify` and `/v1/models`."""

from functools import partial
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import JSONResponse, Response

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.body import read_body
from pictor_gateway.deadline import Deadline
from pictor_gateway.dialects.pictor.answer import Selection, models_answer, one_answer, several_answer
from pictor_gateway.dialects.pictor.request import (
    ClassifyQuery,
    SentPictures,
    check_media_type,
    is_raw,
    read_pictures,
)
from pictor_gateway.facts import RequestFacts, facts_of
from pictor_gateway.gateway import Gateway, gateway_of
from pictor_gateway.pipeline import Recognised, Refusal


async def classify(request: Request, query: Annotated[ClassifyQuery, Query()]) -> Response:
    """Name what is in a picture.

    Send the picture as it is (`image/*`), as the form field `file`, or as base64 in JSON. Several pictures
    (a repeated `file`, `files`, or `images`) are answered in order under `results`, with HTTP 200 and an
    error in the place of each picture that was refused. `decision` holds the labels that count as present
    by the model's own thresholds; `predictions` are the highest scores.
    """
    gateway, facts = gateway_of(request), facts_of(request)
    with gateway.admission.slot():
        facts.served = served = gateway.catalogue.find(query.model, query.version)
        sent, deadline = await _receive(request, gateway, facts)
        outcomes = await gateway.pipeline.recognise(served, sent.pictures, deadline, facts)
    _count(gateway, served, outcomes)
    selection = Selection(query.top_k or gateway.settings.top_k, query.threshold)
    if sent.several:
        return JSONResponse(several_answer(served, outcomes, selection, facts))
    (outcome,) = outcomes
    if not isinstance(outcome, Recognised):
        raise outcome
    return JSONResponse(one_answer(served, outcome, selection, facts))


async def list_models(request: Request) -> Response:
    """List the models: their versions and states, labels, input and measured quality."""
    gateway = gateway_of(request)
    return JSONResponse(models_answer(tuple(gateway.backend.models()), gateway.catalogue.default_model))


async def _receive(request: Request, gateway: Gateway, facts: RequestFacts) -> tuple[SentPictures, Deadline]:
    settings = gateway.settings
    content_type = request.headers.get("content-type", "")
    check_media_type(content_type)
    body = await read_body(request, settings.max_body_bytes, settings.receive_timeout_s)
    facts.body_read = True
    deadline = Deadline.after(settings.request_timeout_s)
    if is_raw(content_type):
        sent = SentPictures((body,), several=False)
    else:
        read = partial(read_pictures, content_type, body, settings.max_pictures_per_request)
        sent = await gateway.pipeline.off_loop(read, deadline, facts)
    facts.add("read", facts.elapsed_s())
    return sent, deadline


def _count(gateway: Gateway, served: ServedVersion, outcomes: list[Recognised | Refusal]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Recognised):
            best = int(outcome.scores.argmax())
            gateway.metrics.count_prediction(served, best, float(outcome.scores[best]))
