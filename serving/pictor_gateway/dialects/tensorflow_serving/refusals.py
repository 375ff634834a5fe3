"""How TensorFlow Serving words and numbers its refusals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from pictor_gateway.errors import (
    LabelNotFound,
    MalformedRequest,
    ModelNotFound,
    VersionNotFound,
)
from pictor_gateway.gateway import Gateway, gateway_of
from pictor_gateway.inference.catalogue import Wanted
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.problems import Problem
from pictor_gateway.request.visit import Visit, admitted
from pictor_gateway.responses import ErrorForm

_BAD_REQUEST = 400
_OUR_STATUS_ALONE = (405, 415, 422)
"""TensorFlow Serving has one word for every request that cannot be read: INVALID_ARGUMENT."""

_LARGEST_INT64 = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST_INT64))
_MOST_SHOWN = 200


def _status(problem: Problem) -> int:
    if problem.status in _OUR_STATUS_ALONE or problem.code == LabelNotFound.code:
        return _BAD_REQUEST
    return problem.status


TENSORFLOW_SERVING_FORM = ErrorForm(lambda problem, _: {"error": problem.detail}, status=_status)
"""How every error under `/v1/models/` is written."""


def malformed(request: Request) -> MalformedRequest:
    """Return the refusal of an address or a method that means nothing."""
    return MalformedRequest(f"Malformed request: {request.method} {request.url.path[:_MOST_SHOWN]}")


def wanted_by(request: Request) -> Wanted:
    """Return what the address names: a model, and perhaps a version's number or label.

    Raises:
        MalformedRequest: a name with a colon, or a version that is no number.
    """
    named = request.path_params
    if any(":" in name for name in named.values()):
        raise malformed(request)
    return Wanted(named["model"], _version_in(request, named.get("version")), named.get("label"))


def _version_in(request: Request, digits: str | None) -> int | None:
    if digits is None:
        return None
    if not (digits.isascii() and digits.isdecimal()):
        raise malformed(request)
    significant = digits.lstrip("0") or "0"
    if len(significant) > _MOST_DIGITS or int(significant) > _LARGEST_INT64:
        raise MalformedRequest(f"Failed to convert version: {digits[:_MOST_SHOWN]} to numeric.")
    return int(significant)


@asynccontextmanager
async def admitted_here(request: Request) -> AsyncIterator[Visit]:
    """Do as `admitted` does, and say what is not found in TensorFlow Serving's words."""
    wanted = wanted_by(request)
    try:
        async with admitted(request, wanted, compressible=True) as visit:
            yield visit
    except (ModelNotFound, VersionNotFound, LabelNotFound) as error:
        raise not_served(gateway_of(request), wanted, error) from error


def not_served(
    gateway: Gateway, wanted: Wanted, error: ModelNotFound | VersionNotFound | LabelNotFound
) -> ModelNotFound | VersionNotFound | LabelNotFound:
    """Return `error` in TensorFlow Serving's words, for a request that needs a version that answers."""
    labels = {model.name: model.labels for model in gateway.backend.models()}.get(wanted.model or "", {})
    if wanted.label is not None and wanted.label not in labels:
        return LabelNotFound(f"Unrecognized servable version label: {wanted.label[:_MOST_SHOWN]}")
    version = wanted.version if wanted.label is None else labels[wanted.label]
    name = (wanted.model or "")[:_MOST_SHOWN]
    servable = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return type(error)(f"Servable not found for request: {servable}")


def scores_or_first_refusal(outcomes: list[Recognised | Refusal], where: str) -> list[Recognised]:
    """Return what was recognised. One refused picture refuses the request.

    Raises:
        PictureRefused, InvalidBase64, InvalidTensor: the first refusal, with the picture's place in it.
    """
    recognised = []
    for index, outcome in enumerate(outcomes):
        if not isinstance(outcome, Recognised):
            raise type(outcome)(
                f"Failed to process element: {index} of '{where}' list. Error: {outcome}"
            ) from outcome
        recognised.append(outcome)
    return recognised
