"""The handlers of `/v1/classify` and `/v1/models`."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import JSONResponse, Response

from pictor_gateway.dialects.pictor.answer import Selection, models_answer, one_answer, several_answer
from pictor_gateway.dialects.pictor.request import (
    ClassifyQuery,
    check_media_type,
    is_raw,
    read_pictures,
)
from pictor_gateway.fetching.links import fetch_linked
from pictor_gateway.gateway import gateway_of
from pictor_gateway.inference.catalogue import Wanted
from pictor_gateway.inference.pipeline import Recognised
from pictor_gateway.request.encoded import SentPicture, check_number
from pictor_gateway.request.visit import Visit, admitted


async def classify(request: Request, query: Annotated[ClassifyQuery, Query()]) -> Response:
    """Name what is in a picture.

    Send the picture as it is (`image/*`), as the form field `file`, or as base64 in JSON; or the URL of one,
    where the operator lists its host. Several pictures (a repeated `file`, `files`, or `images`) are answered
    in order under `results`, with HTTP 200 and an error in the place of each picture that was refused.
    `decision` holds the labels that count as present by the model's own thresholds; `predictions` are the
    highest scores.
    """
    content_type = request.headers.get("content-type", "")
    check_media_type(content_type)
    async with admitted(request, Wanted(query.model, query.version, query.label)) as visit:
        facts, settings = visit.facts, visit.gateway.settings
        pictures, several = await _pictures_in(visit, content_type)
        facts.add("read", facts.elapsed_s())
        served, outcomes = await visit.recognise(pictures)
    selection = Selection(query.top_k or settings.top_k, query.threshold)
    if several:
        return JSONResponse(several_answer(served, outcomes, selection, facts, visit.prediction_ids))
    (outcome,) = outcomes
    if not isinstance(outcome, Recognised):
        raise outcome
    return JSONResponse(one_answer(served, outcome, selection, facts, *visit.prediction_ids))


async def list_models(request: Request) -> Response:
    """List the models: their versions and states, labels, input and measured quality."""
    gateway = gateway_of(request)
    canaries = {} if gateway.rollout is None else gateway.rollout.states()
    models = tuple(gateway.backend.models())
    return JSONResponse(models_answer(models, gateway.catalogue.default_model, canaries))


async def _pictures_in(visit: Visit, content_type: str) -> tuple[Sequence[SentPicture], bool]:
    """Return the pictures, and whether they were sent as a list."""
    if is_raw(content_type):
        return (visit.body,), False
    settings = visit.gateway.settings
    most = settings.max_pictures_per_request
    requested = await visit.off_loop(partial(read_pictures, content_type, visit.body, most))
    check_number(len(requested.pictures), most)
    visit.facts.stage = "fetch"
    in_hand = await fetch_linked(requested.pictures, visit.gateway.fetcher, settings.max_body_bytes)
    return in_hand, requested.several
