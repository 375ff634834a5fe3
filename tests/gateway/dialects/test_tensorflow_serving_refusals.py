"""What TensorFlow Serving's REST API refuses here, in which words, with which status."""

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import numpy as np
import pytest

from pictor_gateway.errors import BackendUnavailable, GatewayError, InferenceFailed, Overloaded, VersionGone
from pictor_gateway.gateway import gateway_in
from pictor_gateway.request.visit import Visit

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]

MODEL = "/v1/models/colours"
GREY = np.full((8, 8, 3), 100).tolist()


def refused(answer: httpx.Response, status: int) -> str:
    """Return the refusal's text; it is all there is in the body."""
    assert (status, ["error"]) == (answer.status_code, list(answer.json())), answer.text
    assert "application/json" == answer.headers["content-type"]
    text: str = answer.json()["error"]
    return text


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be a list"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [GREY]}, "Example must be JSON object but got JSON Array"),
        ({"examples": [{}], "context": 1}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"images": 1}], "context": {"images": 1}}, "Feature: images is in the context and in"),
        ({"examples": [{"caption": "sea"}]}, "must have one feature with a picture: images"),
        ({"examples": [{"image": GREY, "images": GREY}]}, "must have one feature with a picture: images"),
        ({"examples": [{"images": GREY}, {"images": 1}]}, "element: 1 of 'examples' list"),
        (
            {"examples": [{"images": GREY}], "signature_name": "zz"},
            "No signature was found with the name: zz",
        ),
        (
            {"examples": [{"images": GREY}], "signature_name": "contract"},
            "signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict",
        ),
    ],
)
def test_examples_without_a_picture_are_refused(http: httpx.Client, document: object, words: str) -> None:
    """`:classify` takes nothing else."""
    assert words in refused(http.post(f"{MODEL}:classify", json=document), 400)


def test_regress_is_refused_as_for_any_model_without_it(http: httpx.Client) -> None:
    """The words are TensorFlow Serving's."""
    examples = [{"x": 1.0}]
    text = refused(http.post(f"{MODEL}:regress", json={"examples": examples}), 400)
    expected = "Expected regression signature method_name to be tensorflow/serving/regress. "
    assert expected + "Was: tensorflow/serving/predict" == text
    body = {"examples": examples, "signature_name": "zz"}
    text = refused(http.post(f"{MODEL}:regress", json=body), 400)
    assert "No signature was found with the name: zz" == text


@pytest.mark.parametrize(
    ("method", "place", "status", "words"),
    [
        ("POST", "nope:predict", 404, "Servable not found for request: Latest(nope)"),
        ("POST", "nope:classify", 404, "Servable not found for request: Latest(nope)"),
        ("POST", "colours/versions/9:predict", 404, "Servable not found for request: Specific(colours, 9)"),
        ("POST", "nope/versions/9:regress", 404, "Servable not found for request: Specific(nope, 9)"),
        ("POST", "colours/labels/gold:predict", 400, "Unrecognized servable version label: gold"),
        ("POST", "nope/labels/gold:predict", 400, "Unrecognized servable version label: gold"),
        ("GET", "nope", 404, "Could not find any versions of model nope"),
        ("GET", "nope/labels/gold", 404, "Could not find any versions of model nope"),
        ("GET", "colours/versions/9", 404, "Could not find version 9 of model colours"),
        ("GET", "nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        ("GET", "colours/versions/9/metadata", 404, "Servable not found for request: Specific(colours, 9)"),
        ("GET", "colours/labels/gold/metadata", 400, "Unrecognized servable version label: gold"),
        ("POST", "colours:explain", 400, "Malformed request: POST /v1/models/colours:explain"),
        ("POST", "colours", 400, "Malformed request: POST /v1/models/colours"),
        ("GET", "colours:predict", 400, "Malformed request: GET /v1/models/colours:predict"),
        ("POST", "a:b:predict", 400, "Malformed request: POST /v1/models/a:b:predict"),
        (
            "POST",
            "colours/version/1:predict",
            400,
            "Malformed request: POST /v1/models/colours/version/1:predict",
        ),
        ("GET", "colours/versions/latest", 400, "Malformed request: GET /v1/models/colours/versions/latest"),
        ("GET", "colours/versions/-1", 400, "Malformed request: GET /v1/models/colours/versions/-1"),
        ("GET", "colours/versions/\u0663", 400, "Malformed request: GET /v1/models/colours/versions/\u0663"),
        ("GET", f"colours/versions/{2**63}", 400, f"Failed to convert version: {2**63} to numeric."),
        ("POST", f"colours/versions/{'9' * 5000}:predict", 400, "Failed to convert version: 999"),
        ("GET", "", 400, "Malformed request: GET /v1/models/"),
        ("PUT", "colours", 400, "This address does not take this method"),
        ("DELETE", "colours/metadata", 400, "This address does not take this method"),
    ],
)
def test_what_is_not_there_is_said_as_tensorflow_serving_says_it(
    http: httpx.Client, method: str, place: str, status: int, words: str
) -> None:
    """A label that nobody knows is a bad request there, a model or a version is not found."""
    assert refused(http.request(method, f"/v1/models/{place}", json={"instances": [0]}), status).startswith(
        words
    )


def test_one_bad_picture_refuses_the_request(http: httpx.Client, picture: MakePicture) -> None:
    """As in TensorFlow Serving; the text says which it was, and the status is a bad request's."""
    good = {"b64": base64.b64encode(picture()).decode()}
    broken = {"b64": base64.b64encode(picture()[:40]).decode()}
    other = {"b64": base64.b64encode(b"%PDF-1.4").decode()}
    for bad in (broken, other, {"b64": ""}):
        text = refused(http.post(f"{MODEL}:predict", json={"instances": [good, bad]}), 400)
        assert text.startswith("Failed to process element: 1 of 'instances' list. Error: ")
    text = refused(http.post(f"{MODEL}:classify", json={"examples": [{"image": other}]}), 400)
    assert text.startswith("Failed to process element: 0 of 'examples' list. Error: The content is none of")


def test_too_much_is_refused(http: httpx.Client, make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Bodies, pictures and their number: 413 each."""
    assert "200000 bytes" in refused(http.post(f"{MODEL}:predict", content=b" " * 200_001), 413)
    for body in ({"instances": [GREY] * 4}, {"signature_name": "contract", "inputs": [0] * 4}):
        assert "at most 3" in refused(http.post(f"{MODEL}:predict", json=body), 413)
    assert "at most 3" in refused(http.post(f"{MODEL}:classify", json={"examples": [{}] * 4}), 413)
    large = {"b64": base64.b64encode(picture(size=(100, 100))).decode()}
    narrow = make_gateway(max_pixels=9_999).http
    assert "9999" in refused(narrow.post(f"{MODEL}:predict", json={"instances": [large]}), 413)


def test_a_body_of_another_coding_is_a_bad_request(http: httpx.Client) -> None:
    """Its own status would be one that TensorFlow Serving does not know."""
    answer = http.post(f"{MODEL}:predict", content=b"{}", headers={"Content-Encoding": "br"})
    assert "Send gzip or deflate, or the body as it is." in refused(answer, 400)


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Overloaded("Full."), 503, "1"),
        (BackendUnavailable("Nobody is there."), 503, "2"),
        (InferenceFailed("It broke."), 502, None),
        (VersionGone("It went."), 404, None),
    ],
)
def test_what_fails_behind_the_gateway_keeps_its_status(
    make_gateway: MakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    error: GatewayError,
    status: int,
    retry_after: str | None,
) -> None:
    """With the header that says when to try again."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Visit, "recognise", fail)
    answer = make_gateway().http.post(f"{MODEL}:predict", json={"instances": [GREY]})
    expected = "Servable not found for request: Latest(colours)" if status == 404 else str(error)
    assert expected == refused(answer, status)
    assert retry_after == answer.headers.get("retry-after")


def test_a_request_that_comes_to_a_full_house_is_refused(make_gateway: MakeGateway) -> None:
    """503 with Retry-After, before its body is read."""
    gateway = make_gateway(max_concurrent_requests=1)
    slot = gateway_in(gateway.app).admission.slot()

    async def enter() -> None:
        slot.__enter__()

    async def leave() -> None:
        slot.__exit__(None, None, None)

    gateway.wait_for(enter())
    answer = gateway.http.post(f"{MODEL}:predict", json={"instances": [GREY]})
    gateway.wait_for(leave())
    refused(answer, 503)
    assert "retry-after" in answer.headers


def test_time_that_runs_out_is_a_504(make_gateway: MakeGateway) -> None:
    """Ours or the client's own; the stage at which it did is named."""
    body = {"instances": [GREY]}
    ours = make_gateway(request_timeout_s=1e-6).http.post(f"{MODEL}:predict", json=body)
    headers = {"X-Request-Timeout-Ms": "0.001"}
    clients = make_gateway().http.post(f"{MODEL}:predict", json=body, headers=headers)
    assert all("Time ran out" in refused(answer, 504) for answer in (ours, clients))


def test_a_time_limit_that_is_no_number_is_a_bad_request(http: httpx.Client) -> None:
    """Our own status for it would be one that TensorFlow Serving does not know."""
    headers = {"X-Request-Timeout-Ms": "soon"}
    assert "X-Request-Timeout-Ms" in refused(http.post(f"{MODEL}:predict", json={}, headers=headers), 400)


def test_a_key_is_asked_for_in_the_dialects_own_form(make_gateway: MakeGateway) -> None:
    """401 without one, 429 when it is used up, on every address."""
    digest = sha256(b"secret").hexdigest()
    http = make_gateway(api_keys=f"me:{digest}", rate_limit=0.001, rate_limit_burst=1).http
    refused(http.get(MODEL), 401)
    refused(http.post(f"{MODEL}:predict", json={}), 401)
    headers = {"Authorization": "Bearer secret"}
    assert 200 == http.get(MODEL, headers=headers).status_code
    answer = http.get(MODEL, headers=headers)
    refused(answer, 429)
    assert "retry-after" in answer.headers
