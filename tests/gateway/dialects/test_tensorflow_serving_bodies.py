"""Bodies that TensorFlow Serving's REST API refuses: JSON, layouts, and above all raw pixels."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

MakeGateway = Callable[..., Any]

MODEL = "/v1/models/colours"
GREY = np.full((8, 8, 3), 100).tolist()


def refused(answer: httpx.Response, status: int) -> str:
    """Return the refusal's text; it is all there is in the body."""
    assert (status, ["error"]) == (answer.status_code, list(answer.json())), answer.text
    assert "application/json" == answer.headers["content-type"]
    text: str = answer.json()["error"]
    return text


def changed(where: tuple[int, ...], value: object) -> list[Any]:
    """Return a grey raw picture with something else at one place."""
    picture = json.loads(json.dumps(GREY))
    holder = picture
    for index in where[:-1]:
        holder = holder[index]
    holder[where[-1]] = value
    return picture  # type: ignore[no-any-return]  # as the JSON module types it


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON Value: [...] Is not object"),
        ("text", 'JSON Value: "text" Is not object'),
        (7, "JSON Value: 7 Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instance": [1]}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [GREY], "inputs": [GREY]}, "only one of 'inputs' or 'instances' keys"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"inputs": []}, "No values in 'inputs' array"),
        ({"inputs": {"images": []}}, "No values in 'inputs' array"),
        ({"instances": {"b64": ""}}, "Expecting 'instances' to be a list"),
        ({"instances": None}, "Expecting 'instances' to be a list"),
        ({"inputs": {"b64": ""}}, "Expecting 'inputs' to be a list"),
        ({"inputs": {"zz": [GREY]}}, "Missing named input: images in 'inputs' object."),
        ({"instances": [{"zz": GREY}]}, "JSON object: does not have named input: zz"),
        ({"instances": [{"images": GREY, "a": 1}]}, "JSON object: does not have named input: a"),
        ({"instances": [{}]}, "must have the named input: images"),
        (
            {"signature_name": "zz", "instances": [0]},
            'Serving signature name: "zz" not found in signature def',
        ),
        ({"signature_name": 7, "instances": [0]}, "'signature_name' key must be a string value."),
        ({"signature_name": "contract", "instances": ["a"]}, "is not of expected type: int32"),
        ({"signature_name": "contract", "instances": [2**31]}, "is not of expected type: int32"),
        (
            {"signature_name": "contract", "instances": [True]},
            "Value: true Type: True is not of expected type",
        ),
        ({"instances": ["text"]}, 'JSON Value: "text" Type: String is not of expected type: uint8'),
        ({"instances": [None]}, "Type: Null is not of expected type: uint8"),
        ({"instances": [1.5]}, "JSON Value: 1.5 Type: Number is not of expected type: uint8"),
        ({"instances": [GREY, {"b64": 7}]}, "element: 1 of 'instances' list. Error: JSON Value: {...} not"),
        ({"instances": [{"b64": "", "url": ""}]}, "not formatted correctly for base64 data"),
        ({"instances": [{"url": "https://example.org/a.png"}]}, "does not have named input: url"),
        ({"instances": [{"b64": "%%%"}]}, "element: 0 of 'instances' list. Error: The text is not base64"),
    ],
)
def test_a_body_that_asks_nothing_is_refused(http: httpx.Client, document: object, words: str) -> None:
    """400, and the text says what was expected."""
    assert words in refused(http.post(f"{MODEL}:predict", json=document), 400)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ([], "Expecting shape [8, 8, 3] (height, width, channels) but got: [0]"),
        ([1, 2, 3], "but got: [3]"),
        (GREY[:4], "but got: [4, 8, 3]"),
        ([GREY], "but got: [1, 8, 8, 3]"),
        ([[[[]]] * 8] * 8, "but got: [8, 8, 1, 0]"),
        (changed((3, 4, 2), 1.5), "JSON Value: 1.5 Type: Number is not of expected type: uint8"),
        (changed((3, 4, 2), 256), "JSON Value: 256 Type: Number is not of expected type: uint8"),
        (changed((3, 4, 2), -1), "JSON Value: -1 Type: Number is not of expected type: uint8"),
        (changed((3, 4, 2), 2**64 - 1), "JSON Value: 18446744073709551615 Type: Number is not of"),
        (changed((7, 7, 2), True), "JSON Value: true Type: True is not of expected type: uint8"),
        (changed((7, 7, 2), None), "Type: Null is not of expected type: uint8"),
        (changed((7, 7, 2), "9" * 999), "Type: String is not of expected type: uint8"),
        (changed((7, 7, 2), [1]), "JSON Value: [...] Type: Array is not of expected type: uint8"),
        (changed((7, 7), [1, 2]), "Encountered list at unexpected size: 2 expected size: 3"),
        (changed((7,), GREY[0][:7]), "Encountered list at unexpected size: 7 expected size: 8"),
        (changed((7, 7), 5), "JSON Value: 5 found where a list of 3 is expected"),
        (changed((7,), {"b64": ""}), "JSON Value: {...} found where a list of 8 is expected"),
    ],
)
def test_pixels_that_do_not_fit_never_reach_the_model(
    http: httpx.Client, picture: list[Any], words: str
) -> None:
    """The real server dies of a wrong rank; here each wrong shape and number is refused, by its place."""
    for body, layout in (
        ({"instances": [GREY, picture]}, "instances"),
        ({"inputs": [GREY, picture]}, "inputs"),
    ):
        text = refused(http.post(f"{MODEL}:predict", json=body), 400)
        assert f"element: 1 of '{layout}' list" in text
        assert words in text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"instances = [1, 2]",
        b"\xff\xfe",
        b'{"instances": [NaN]}',
        b'{"instances": [[[[1e999]]]]}',
        b'{"instances": [' + b"9" * 150_000 + b"]}",
        b'{"instances": [' + b"[" * 90_000 + b"]" * 90_000 + b"]}",
        b'{"instances": ' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
        b'{"instances": ["\\ud800"]}',
        b'{"instances": [{"b64": "truncated',
        b'{"instances": [0], "instances": [{"b64": ""}]}',
        b'{"instances": [{"b64": "a", "b64": "\\"b"}]}',
        b'{"x": [[1, "a", {"b": 1, "b": 2}]], "signature_name": "contract", "instances": [0]}',
    ],
)
def test_hostile_json_is_refused(http: httpx.Client, body: bytes) -> None:
    """Whatever it is: 400, no crash, no hang."""
    refused(http.post(f"{MODEL}:predict", content=body), 400)
    refused(http.post(f"{MODEL}:classify", content=body), 400)
    refused(http.post(f"{MODEL}:regress", content=body), 400)


def test_texts_within_numbers_and_escapes_are_no_repeated_keys(http: httpx.Client) -> None:
    """What lies beside the instances is ignored, whatever quotation marks it has."""
    beside = {"a\\": [[1, 'x"\\'], "\\\\"], "parameters": {"k": ["v"]}}
    body = {**beside, "instances": [GREY]}
    assert 200 == http.post(f"{MODEL}:predict", json=body).status_code


def test_a_flood_of_lists_is_refused_unread(make_gateway: MakeGateway) -> None:
    """The parser would hold the event loop up for longer than any probe waits."""
    http = make_gateway().http
    bodies = [b'{"instances": [' + part * 2_000_000 + b"0]}" for part in (b"[],", b"0,")]
    texts = [refused(http.post(f"{MODEL}:predict", content=body), 400) for body in bodies]
    assert ["The document has more lists or numbers than the pictures of a request can have"] * 2 == texts
