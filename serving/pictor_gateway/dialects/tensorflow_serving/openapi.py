"""What `/openapi.json` says of the addresses under `/v1/models/`: bodies, answers, errors, by example."""

from collections.abc import Mapping
from typing import Any

from pictor_contract import BrokenPicture, UnknownFormat
from pictor_gateway import errors
from pictor_gateway.dialects.tensorflow_serving.refusals import TENSORFLOW_SERVING_FORM
from pictor_gateway.problems import problem_of

Json = dict[str, Any]
_Examples = Mapping[str, tuple[Json, Json]]

PLACES = {
    "/v1/models/{model}": (),
    "/v1/models/{model}/versions/{version}": ("version",),
    "/v1/models/{model}/labels/{label}": ("label",),
}
"""The three forms of every address, with the parameters that only they have."""

_PARAMETERS = {
    "model": "The model's name.",
    "version": "Exactly this version, by its number.",
    "label": "The version with this label, such as stable.",
}
_PICTURE = {
    "b64": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
}
_OBJECT = {"type": "object"}
_SCORES = [[0.0014, 0.9973]]

_PREDICT: _Examples = {
    "row": ({"instances": [_PICTURE]}, {"predictions": _SCORES}),
    "named": ({"instances": [{"images": _PICTURE}]}, {"predictions": _SCORES}),
    "column": ({"signature_name": "serving_default", "inputs": [_PICTURE]}, {"outputs": _SCORES}),
    "contract": (
        {"signature_name": "contract", "instances": [0]},
        {"predictions": ['{"name": "digits", ...}']},
    ),
}
_CLASSIFY: _Examples = {
    "one": ({"examples": [{"images": _PICTURE}]}, {"results": [[["cat", 0.0014], ["dog", 0.9973]]]}),
}
_STATUS = {
    "model_version_status": [
        {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}

_NOT_FOUND = errors.ModelNotFound("Servable not found for request: Latest(digit)")
_UNKNOWN_LABEL = errors.LabelNotFound("Unrecognized servable version label: gold")
_ERRORS: tuple[Exception, ...] = (
    errors.MalformedRequest("Missing 'inputs' or 'instances' key"),
    errors.InvalidBase64("Failed to process element: 0 of 'instances' list. Error: The text is not base64."),
    errors.InvalidTensor("Failed to process element: 0 of 'instances' list. Error: Expecting shape ..."),
    BrokenPicture("Failed to process element: 0 of 'instances' list. Error: The picture is truncated."),
    UnknownFormat("Failed to process element: 0 of 'instances' list. Error: The content is none of ..."),
    _UNKNOWN_LABEL,
    errors.Unauthorized("Send a key as Authorization: Bearer KEY, or as X-API-Key: KEY."),
    _NOT_FOUND,
    errors.VersionNotFound("Servable not found for request: Specific(digits, 9)"),
    errors.BodyTimeout("The body was not complete after 30 s."),
    errors.BodyTooLarge("A body may have at most 10485760 bytes."),
    errors.TooManyPictures("The request has 40 pictures; at most 16 are allowed."),
    errors.RateLimited("This key is out of requests for the moment."),
    errors.GatewayError("The error is logged under this request's id."),
    errors.InferenceFailed("The model broke on this batch."),
    errors.Overloaded("All 128 places are taken. Try again in a moment."),
    errors.ModelNotReady("No version of the model 'digits' can answer now; /readyz says why."),
    errors.DeadlineExceeded("decode"),
)


def describe_predict(own: tuple[str, ...]) -> Json:
    """Return what the routes of `:predict` say about themselves."""
    return _question(own, _PREDICT, "The scores of each picture, in order.")


def describe_classify(own: tuple[str, ...]) -> Json:
    """Return what the routes of `:classify` say about themselves."""
    return _question(own, _CLASSIFY, "Labels and scores of each picture, in order.")


def describe_regress(own: tuple[str, ...]) -> Json:
    """Return what the routes of `:regress` say about themselves."""
    return {"responses": _refusals(_ERRORS), "openapi_extra": {"parameters": _parameters(own)}}


def describe_status(own: tuple[str, ...]) -> Json:
    """Return what the routes of a model's status say about themselves."""
    answer = _content("Each version's state.", {"available": _STATUS})
    unknown = errors.ModelNotFound("Could not find any versions of model digit")
    return {
        "responses": {200: answer, **_refusals((unknown,))},
        "openapi_extra": {"parameters": _parameters(own)},
    }


def describe_metadata(own: tuple[str, ...]) -> Json:
    """Return what the routes of a model's metadata say about themselves."""
    answer = {"description": "model_spec and metadata.signature_def.", "content": {"application/json": {}}}
    return {
        "responses": {200: answer, **_refusals((_NOT_FOUND, _UNKNOWN_LABEL))},
        "openapi_extra": {"parameters": _parameters(own)},
    }


def _question(own: tuple[str, ...], examples: _Examples, description: str) -> Json:
    bodies = {name: {"value": body} for name, (body, _) in examples.items()}
    body = {"required": True, "content": {"application/json": {"schema": _OBJECT, "examples": bodies}}}
    answer = _content(description, {name: answer for name, (_, answer) in examples.items()})
    return {
        "responses": {200: answer, **_refusals(_ERRORS)},
        "openapi_extra": {"parameters": _parameters(own), "requestBody": body},
    }


def _content(description: str, examples: Json) -> Json:
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "description": description,
        "content": {"application/json": {"schema": _OBJECT, "examples": shown}},
    }


def _parameters(own: tuple[str, ...]) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "description": words, "schema": {"type": "string"}}
        for name, words in _PARAMETERS.items()
        if name in ("model", *own)
    ]


def _refusals(refused: tuple[Exception, ...]) -> dict[int | str, Json]:
    """Every error by its status, with an example of each code."""
    documented: dict[int | str, Json] = {}
    for error in refused:
        problem = problem_of(error)
        entry = documented.setdefault(TENSORFLOW_SERVING_FORM.status(problem), _content("", {}))
        entry["description"] = " ".join(filter(None, (entry["description"], f"{problem.title}.")))
        examples = entry["content"]["application/json"]["examples"]
        examples[problem.code] = {"value": {"error": problem.detail}}
    return documented
