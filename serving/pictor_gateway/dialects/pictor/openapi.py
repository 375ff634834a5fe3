"""What `/openapi.json` says of Pictor's own addresses: bodies, answers, every error, by example."""

from collections.abc import Sequence
from typing import Any

from pictor_contract import BrokenPicture, EmptyPicture, PictureTooLarge, UnknownFormat, UnsupportedPicture
from pictor_gateway import errors
from pictor_gateway.dialects.pictor.documents import (
    FeedbackBody,
    FeedbackDocument,
    ModelsDocument,
    OneAnswerDocument,
    ProblemDocument,
    SeveralAnswerDocument,
)
from pictor_gateway.problems import MEDIA_TYPE, problem_of

_ID = "5f0c7c2e9a0b4e0c8f9be0f0c3b5a111"

_PREDICTION_ID = "q83vEjRWeJCrze8SAWjuT2AAAAAAAAAAA4oKzmDkt8qo2tU0fgAHmZiuXLB1U4bT0qgeb9ZkVQ"

_HEAD = {
    "id": _ID,
    "model": {"name": "digits", "version": 3, "digest": "9c56cc51b374c3ba"},
    "backend": "tensorflow_serving",
}
_RESULT = {
    "prediction_id": _PREDICTION_ID,
    "predictions": [{"label": "7", "index": 7, "score": 0.9973}, {"label": "1", "index": 1, "score": 0.0014}],
    "decision": ["7"],
    "image": {"width": 500, "height": 375, "format": "JPEG", "frames": 1},
}
_TIMINGS = {"read": 0.4, "decode": 1.6, "queue": 0.2, "inference": 0.9, "total": 3.3}
_B64_EXAMPLE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
_FILE = {"type": "string", "format": "binary"}
_B64 = {
    "type": "object",
    "properties": {
        "b64": {
            "type": "string",
            "description": "Either alphabet, padded or not; a data URI is read as well.",
        }
    },
    "required": ["b64"],
    "additionalProperties": False,
}
_LINK = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "By https, from hosts that the operator lists; else 422."}
    },
    "required": ["url"],
    "additionalProperties": False,
}
_PICTURE = {"oneOf": [_B64, _LINK]}

_CLASSIFY_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": "X-Capture-Consent",
            "in": "header",
            "schema": {"type": "string", "enum": ["yes", "no"]},
            "description": "Whether the pictures may be kept for training, where the operator captures any.",
        },
        {
            "name": "X-Subject-ID",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Whose pictures these are; of captured ones a salted hash of it is kept, "
            "so that they can be deleted on request. Without it the API key's name stands for it.",
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {**_FILE, "description": "Repeat it, or use files, for several pictures."}
                    },
                }
            },
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"type": "object", "properties": {"image": _PICTURE}, "required": ["image"]},
                        {
                            "type": "object",
                            "properties": {"images": {"type": "array", "items": _PICTURE, "minItems": 1}},
                            "required": ["images"],
                        },
                    ]
                },
                "examples": {
                    "one": {"summary": "One picture", "value": {"image": {"b64": _B64_EXAMPLE}}},
                    "several": {"summary": "Several", "value": {"images": [{"b64": _B64_EXAMPLE}] * 2}},
                },
            },
        },
    },
}

_ERRORS = (
    EmptyPicture("There are no bytes to decode."),
    errors.MalformedRequest("The form has no field file with a picture."),
    errors.InvalidBase64("The text is not base64 (Incorrect padding)."),
    errors.Unauthorized("Send an API key as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'."),
    errors.ModelNotFound("There is no model 'digit'. Served here: digits."),
    errors.VersionNotFound("Version 9 of the model 'digits' is not loaded. Loaded: 3."),
    errors.LabelNotFound("No version of the model 'digits' has the label 'gold'. Labels: canary, stable."),
    errors.BodyTimeout("The body was not complete after 30 s."),
    errors.BodyTooLarge("A body may have at most 10485760 bytes."),
    errors.TooManyPictures("The request has 40 pictures; at most 16 are allowed."),
    PictureTooLarge(
        "The picture has 20000 x 20000 pixels; at most 50000000 are allowed. Send a smaller one."
    ),
    errors.UnsupportedMediaType("The Content-Type is 'text/plain'. Send image/*, ..."),
    UnknownFormat("The content is none of JPEG, PNG, WEBP, BMP, GIF, TIFF."),
    errors.InvalidParameter("threshold: Input should be less than or equal to 1; received '7'."),
    errors.ModelRequired("Say which model is meant with ?model=NAME. Served here: digits, brain-mri."),
    errors.UrlNotEnabled("image has a url, which is not fetched. Send b64."),
    errors.UrlRefused("Pictures are fetched by https only."),
    BrokenPicture("The picture is truncated."),
    UnsupportedPicture("This variant of TIFF is not supported."),
    errors.RateLimited("This key may send 10 requests a second."),
    errors.GatewayError("The error is logged under this request's id."),
    errors.InferenceFailed("The model broke on this batch."),
    errors.UrlFetchFailed("The server answered 404."),
    errors.Overloaded("All 128 places are taken. Try again in a moment."),
    errors.ModelNotReady("No version of the model 'digits' can answer now; /readyz says why."),
    errors.BackendUnavailable("None of the model's servers can be reached."),
    errors.DeadlineExceeded("decode"),
)


_FEEDBACK_ERRORS = (
    errors.MalformedRequest("The body is not JSON (unexpected end of data: line 1 column 1 (char 0))."),
    errors.Unauthorized("Send an API key as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'."),
    errors.FeedbackNotEnabled("The operator of this gateway takes no feedback."),
    errors.PredictionNotFound("No prediction of this gateway has this prediction_id."),
    errors.BodyTimeout("The body was not complete after 30 s."),
    errors.BodyTooLarge("A body may have at most 65536 bytes."),
    errors.UnsupportedMediaType("The Content-Type is 'text/plain'. Send application/json."),
    errors.InvalidParameter("label: 'seven' is none of the model's labels: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."),
    errors.RateLimited("This key may send 10 requests a second."),
    errors.GatewayError("The error is logged under this request's id."),
    errors.Overloaded("All 128 places are taken. Try again in a moment."),
    errors.ModelNotReady("No version of the model 'digits' can answer now; /readyz says why."),
    errors.FeedbackNotKept("The label could not be kept. Send it again in a moment."),
    errors.DeadlineExceeded("write"),
)


def _problems(shown: Sequence[Exception]) -> dict[int | str, dict[str, Any]]:
    """Return every error by its status, with an example of each code."""
    schema = ProblemDocument.model_json_schema()
    documented: dict[int | str, dict[str, Any]] = {}
    for example in shown:
        problem = problem_of(example)
        entry = documented.setdefault(
            problem.status, {"description": "", "content": {MEDIA_TYPE: {"schema": schema, "examples": {}}}}
        )
        entry["description"] = " ".join(filter(None, (entry["description"], f"{problem.title}.")))
        entry["content"][MEDIA_TYPE]["examples"][problem.code] = {"value": problem.body(_ID)}
    return documented


def describe_classify() -> dict[str, Any]:
    """Return what the route of `/v1/classify` says about itself."""
    several = {
        **_HEAD,
        "results": [_RESULT, {"error": problem_of(_ERRORS[0]).body()}],
        "timings_ms": _TIMINGS,
    }
    examples = {
        "one": {"summary": "One picture", "value": {**_HEAD, **_RESULT, "timings_ms": _TIMINGS}},
        "several": {"summary": "Several, one of them refused", "value": several},
    }
    answer = {
        "model": OneAnswerDocument | SeveralAnswerDocument,
        "description": "What is in the picture or pictures.",
        "content": {"application/json": {"examples": examples}},
    }
    return {"responses": {200: answer, **_problems(_ERRORS)}, "openapi_extra": _CLASSIFY_EXTRA}


def describe_feedback() -> dict[str, Any]:
    """Return what the route of `/v1/feedback` says about itself."""
    sent = {"prediction_id": _PREDICTION_ID, "label": "1"}
    several = {"prediction_id": _PREDICTION_ID, "label": ["cat", "sofa"]}
    asked = {
        "one": {"summary": "One label", "value": sent},
        "several": {"summary": "Of a model that gives several", "value": several},
    }
    answered = {
        "wrong": {"summary": "It was wrong", "value": {**sent, "predicted": "7", "correct": False}},
        "several": {
            "summary": "Right, of several labels",
            "value": {**several, "predicted": ["cat", "sofa"], "correct": True},
        },
    }
    answer = {
        "model": FeedbackDocument,
        "description": "What came of it.",
        "content": {"application/json": {"examples": answered}},
    }
    schema = FeedbackBody.model_json_schema()
    body = {"required": True, "content": {"application/json": {"schema": schema, "examples": asked}}}
    return {
        "responses": {200: answer, **_problems(_FEEDBACK_ERRORS)},
        "openapi_extra": {"requestBody": body},
    }


def describe_models() -> dict[str, Any]:
    """Return what the route of `/v1/models` says about itself."""
    return {"responses": {200: {"model": ModelsDocument, "description": "Every model known."}}}
