"""The handlers of the addresses under `/v2`."""

from functools import partial

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response

from pictor_gateway.backends.protocol import ModelStatus, ServedVersion
from pictor_gateway.dialects.open_inference.answer import (
    config_answer,
    index_answer,
    infer_answer,
    model_answer,
    server_answer,
)
from pictor_gateway.dialects.open_inference.members import member
from pictor_gateway.dialects.open_inference.request import (
    JSON_LENGTH_HEADER,
    json_length,
    read_infer,
    read_object,
)
from pictor_gateway.errors import ModelNotReady
from pictor_gateway.gateway import gateway_of
from pictor_gateway.inference.catalogue import Wanted
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.request.body import read_body
from pictor_gateway.request.visit import admitted
from pictor_gateway.telemetry.facts import facts_of

_INDEX_BODY_BYTES = 4096
"""Its only member is `ready`."""

_VERSION_DIGITS = 19
"""Of a version that TensorFlow Serving could have; `int` would raise on thousands of them."""


async def live(request: Request) -> Response:
    """Answer 200 as long as the event loop turns."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """Answer 200 when a picture would be answered, otherwise 503; `/readyz` gives the reasons."""
    gateway = gateway_of(request)
    is_ready = not gateway.lifecycle.draining and not gateway.catalogue.unready()
    return JSONResponse({"ready": is_ready}, status_code=200 if is_ready else 503)


async def server_metadata(request: Request) -> Response:
    """Say who answers, and which extensions of the protocol it understands."""
    return JSONResponse(server_answer(request.app.version))


async def model_metadata(request: Request) -> Response:
    """Say what a model takes and gives, with its labels in their order."""
    served = await _find(request)
    return JSONResponse(model_answer(served, _status_of(request, served)))


async def model_config(request: Request) -> Response:
    """Say the same in the words of Triton's model configuration."""
    served = await _find(request)
    return JSONResponse(config_answer(served, gateway_of(request).settings.max_pictures_per_request))


async def model_ready(request: Request) -> Response:
    """Answer 200 when this model, or this version of it, can answer, otherwise 503."""
    try:
        await _find(request)
    except ModelNotReady as error:
        body = {"name": request.path_params["model"], "ready": False, "error": str(error)}
        return JSONResponse(body, status_code=error.status, headers=error.headers())
    return JSONResponse({"name": request.path_params["model"], "ready": True})


async def repository_index(request: Request) -> Response:
    """List every version of every model with its state; `{"ready": true}` leaves out those not ready."""
    gateway = gateway_of(request)
    body = await read_body(request, _INDEX_BODY_BYTES, gateway.settings.receive_timeout_s)
    ready_only = member(read_object(body), "ready", bool) or False if body else False
    return JSONResponse(index_answer(gateway.backend.models(), ready_only=ready_only))


async def infer(request: Request) -> Response:
    """Name what is in one picture or several.

    The one input is `images`: raw pixels (UINT8 [N, height, width, channels]) or picture files (BYTES [N] or
    [N, 1]: base64 in JSON, the files themselves behind it). The one output is `scores` (FP32 [N, labels]), or
    with the parameter `classification` the highest ones as texts `score:index:label`. One picture that is
    refused refuses the request, and the error names it. `parameters.timeout` is in microseconds.
    """
    json_bytes = json_length(request.headers.get(JSON_LENGTH_HEADER))
    async with admitted(request, _wanted(request), compressible=True) as visit:
        most = visit.gateway.settings.max_pictures_per_request
        picture = visit.gateway.catalogue.find(visit.wanted).contract.input
        sent = await visit.off_loop(partial(read_infer, visit.body, json_bytes, picture, most))
        if sent.timeout_s is not None:
            visit.bring_forward(sent.timeout_s)
        visit.facts.add("read", visit.facts.elapsed_s())
        served, outcomes = await visit.recognise(sent.pictures, by_position=not sent.scores.classes)
    return infer_answer(served, _all_scores(outcomes), sent.scores, sent.id)


def _all_scores(outcomes: list[Recognised | Refusal]) -> list[NDArray[np.float32]]:
    """Return each picture's scores.

    Raises:
        PictureRefused, InvalidBase64, InvalidTensor: the first refusal, with the picture's place in it.
    """
    rows = []
    for index, outcome in enumerate(outcomes):
        if not isinstance(outcome, Recognised):
            raise type(outcome)(f"images[{index}]: {outcome}") from outcome
        rows.append(outcome.scores)
    return rows


async def _find(request: Request) -> ServedVersion:
    served = await gateway_of(request).catalogue.find_asking(_wanted(request))
    facts_of(request).served = served
    return served


def _wanted(request: Request) -> Wanted:
    """Return the version that the address means; what is no number is a label, such as `stable`."""
    model: str = request.path_params["model"]
    version: str | None = request.path_params.get("version")
    if version is not None and version.isascii() and version.isdecimal() and len(version) <= _VERSION_DIGITS:
        return Wanted(model, int(version))
    return Wanted(model, label=version)


def _status_of(request: Request, served: ServedVersion) -> ModelStatus:
    return next(model for model in gateway_of(request).backend.models() if model.name == served.name)
