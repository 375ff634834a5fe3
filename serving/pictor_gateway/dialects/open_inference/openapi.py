"""What `/openapi.json` says of the addresses under `/v2`: bodies, answers, every error, by example."""

from typing import Any

from pictor_contract import BrokenPicture
from pictor_gateway import errors
from pictor_gateway.dialects.open_inference.answer import EXTENSIONS, OPEN_INFERENCE_FORM, SERVER_NAME
from pictor_gateway.dialects.open_inference.request import JSON_LENGTH_HEADER
from pictor_gateway.problems import problem_of

Json = dict[str, Any]

_B64_EXAMPLE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
_BYTES = {"type": "string", "format": "binary"}
_IMAGES = {"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}
_SCORES = {"name": "scores", "datatype": "FP32", "shape": [-1, 2]}
_METADATA = {
    "name": "digits",
    "versions": ["3"],
    "platform": "tensorflow_savedmodel",
    "inputs": [_IMAGES],
    "outputs": [_SCORES],
    "parameters": {
        "version": "3",
        "digest": "9c56cc51b374c3ba",
        "head": "binary",
        "labels": ["even", "odd"],
        "thresholds": [0.5, 0.5],
        "alternative_inputs": [{"name": "images", "datatype": "BYTES", "shape": [-1]}],
    },
}
_CONFIG = {
    "name": "digits",
    "platform": "tensorflow_savedmodel",
    "max_batch_size": 16,
    "input": [{"name": "images", "data_type": "TYPE_UINT8", "dims": [28, 28, 1]}],
    "output": [{"name": "scores", "data_type": "TYPE_FP32", "dims": [2]}],
}
_INDEX = [{"name": "digits", "version": "3", "state": "READY", "reason": ""}]
_FILES_INPUT = {"name": "images", "datatype": "BYTES", "shape": [1], "data": [_B64_EXAMPLE]}
_ANSWER = {"model_name": "digits", "model_version": "3", "id": "42"}
_REQUESTS = {
    "files": {
        "summary": "Picture files, as base64",
        "value": {"id": "42", "inputs": [_FILES_INPUT]},
    },
    "labels": {
        "summary": "The highest score with its label",
        "value": {
            "inputs": [_FILES_INPUT],
            "outputs": [{"name": "scores", "parameters": {"classification": 1}}],
        },
    },
    "pixels": {
        "summary": "Raw pixels, for a model that takes 1 x 2 grey ones",
        "value": {
            "inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 1], "data": [0, 255]}]
        },
    },
}
_ANSWERS = {
    "scores": {
        "summary": "Scores",
        "value": {**_ANSWER, "outputs": [{**_SCORES, "shape": [1, 2], "data": [0.0014, 0.9986]}]},
    },
    "labels": {
        "summary": "The highest score with its label",
        "value": {
            **_ANSWER,
            "outputs": [
                {"name": "scores", "datatype": "BYTES", "shape": [1, 1], "data": ["0.998600:1:odd"]},
            ],
        },
    },
}
_LOOKUP_ERRORS = (
    errors.Unauthorized("Send an API key."),
    errors.ModelNotFound("There is no model 'digit'. Served here: digits."),
    errors.VersionNotFound("Version 9 of the model 'digits' is not loaded. Loaded: 3."),
    errors.LabelNotFound("No version of the model 'digits' has the label 'gold'. Labels: stable."),
    errors.ModelNotReady("No version of the model 'digits' can answer now; /readyz says why."),
)
_INFER_ERRORS = (
    *_LOOKUP_ERRORS,
    errors.MalformedRequest("The tensor images: pixels must be whole numbers from 0 to 255."),
    errors.InvalidTensor(
        "images[0]: A picture's pixels must be uint8 [28, 28, 1] [height, width, channels]; received uint8 "
        "[32, 32, 1]."
    ),
    errors.InvalidBase64("images[0]: The text is not base64 (Incorrect padding)."),
    BrokenPicture("images[0]: The picture is truncated."),
    errors.BodyTimeout("The body was not complete after 30 s."),
    errors.BodyTooLarge("A body may have at most 10485760 bytes."),
    errors.TooManyPictures("The request has 40 pictures; at most 16 are allowed."),
    errors.RateLimited("Try again in a moment."),
    errors.GatewayError("The error is logged under this request's id."),
    errors.InferenceFailed("The model broke on this batch."),
    errors.Overloaded("All 128 places are taken. Try again in a moment."),
    errors.BackendUnavailable("No server of the model 'digits' answers."),
    errors.DeadlineExceeded("decode"),
)


def describe_live() -> Json:
    """Return what the route of `/v2/health/live` says about itself."""
    return {"responses": {200: _example("The process is alive.", {"live": True})}}


def describe_ready() -> Json:
    """Return what the route of `/v2/health/ready` says about itself."""
    return {
        "responses": {
            200: _example("A picture would be answered.", {"ready": True}),
            503: _example("Not yet, or not any more; /readyz says why.", {"ready": False}),
        }
    }


def describe_server() -> Json:
    """Return what the route of `/v2` says about itself."""
    answer = {"name": SERVER_NAME, "version": "1.0.0", "extensions": list(EXTENSIONS)}
    return {"responses": {200: _example("Who answers.", answer), **_errors(_LOOKUP_ERRORS[:1])}}


def describe_index() -> Json:
    """Return what the route of `/v2/repository/index` says about itself."""
    schema = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    content = {"application/json": {"schema": schema, "example": {"ready": True}}}
    return {
        "responses": {200: _example("Every version known.", _INDEX), **_errors(_LOOKUP_ERRORS[:1])},
        "openapi_extra": {"requestBody": {"required": False, "content": content}},
    }


def describe_metadata(*, versioned: bool = False) -> Json:
    """Return what the routes of a model's metadata say about themselves."""
    return _about_model("What the model takes and gives.", _METADATA, versioned=versioned)


def describe_config(*, versioned: bool = False) -> Json:
    """Return what the routes of a model's configuration say about themselves."""
    return _about_model("The same in the words of Triton's configuration.", _CONFIG, versioned=versioned)


def describe_model_ready(*, versioned: bool = False) -> Json:
    """Return what the routes of a model's readiness say about themselves."""
    return _about_model("It can answer.", {"name": "digits", "ready": True}, versioned=versioned)


def describe_infer(*, versioned: bool = False) -> Json:
    """Return what the routes of inference say about themselves."""
    length = {
        "name": JSON_LENGTH_HEADER,
        "in": "header",
        "description": "Bytes of JSON at the beginning of the body, if a tensor follows it.",
        "schema": {"type": "integer"},
    }
    body = {
        "application/json": {"schema": {"type": "object"}, "examples": _REQUESTS},
        "application/octet-stream": {"schema": _BYTES},
    }
    answer = {
        "description": "Scores or labels; binary as JSON and the bytes behind it, if asked for.",
        "content": {
            "application/json": {"examples": _ANSWERS},
            "application/octet-stream": {"schema": _BYTES},
        },
    }
    return {
        "responses": {200: answer, **_errors(_INFER_ERRORS)},
        "openapi_extra": {
            "parameters": [*_path_parameters(versioned=versioned), length],
            "requestBody": {"required": True, "content": body},
        },
    }


def _about_model(description: str, example: Json, *, versioned: bool) -> Json:
    return {
        "responses": {200: _example(description, example), **_errors(_LOOKUP_ERRORS)},
        "openapi_extra": {"parameters": _path_parameters(versioned=versioned)},
    }


def _path_parameters(*, versioned: bool) -> list[Json]:
    meanings = {"model": "The model's name."}
    if versioned:
        meanings["version"] = "A version's number, or a label such as stable."
    return [
        {"name": name, "in": "path", "required": True, "description": meaning, "schema": {"type": "string"}}
        for name, meaning in meanings.items()
    ]


def _example(description: str, example: Json | list[Json]) -> Json:
    return {"description": description, "content": {"application/json": {"example": example}}}


def _errors(examples: tuple[Exception, ...]) -> dict[int | str, Json]:
    """Every error by the status it has here, with an example of each."""
    documented: dict[int | str, Json] = {}
    schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    for example in examples:
        problem = problem_of(example)
        content = {"schema": schema, "examples": {}}
        entry = documented.setdefault(
            OPEN_INFERENCE_FORM.status(problem),
            {"description": "", "content": {OPEN_INFERENCE_FORM.media_type: content}},
        )
        entry["description"] = " ".join(filter(None, (entry["description"], f"{problem.title}.")))
        shown = entry["content"][OPEN_INFERENCE_FORM.media_type]["examples"]
        shown[problem.code] = {"value": {"error": problem.detail}}
    return documented
