"""Requests of the Open Inference Protocol that no honest client writes: each is refused, in words."""

import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

Json = dict[str, Any]
MakeGateway = Callable[..., Any]

INFER = "/v2/models/colours/infer"
LENGTH = "Inference-Header-Content-Length"
BLACK = [0] * 192
HUGE = 2**63


def pixels(**changes: object) -> Json:
    """Return a tensor of one black picture, changed; what becomes `...` is left out."""
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": BLACK, **changes}
    return {name: value for name, value in tensor.items() if value is not ...}


def files(**changes: object) -> Json:
    """Return a tensor of one picture file, changed."""
    return pixels(**{"datatype": "BYTES", "shape": [1], "data": ["AA=="], **changes})


def is_refused(answer: httpx.Response, says: str, status: int = 400) -> None:
    """Hold an answer against the protocol's form of an error."""
    assert status == answer.status_code, answer.text
    assert "application/json" == answer.headers["Content-Type"]
    assert {"error"} == set(answer.json())
    assert says in answer.json()["error"]


def send_binary(http: httpx.Client, tensor: Json, tail: bytes, length: str | None = None) -> httpx.Response:
    """Send a tensor behind the JSON; `length` is what the header says instead of the truth."""
    text = json.dumps({"inputs": [tensor]}).encode()
    headers = {LENGTH: str(len(text)) if length is None else length}
    return http.post(INFER, content=text + tail, headers=headers)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"id": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 30_000, "not JSON"),
        (b"[]", "must be an object"),
        (b"7", "must be an object"),
        (b"{}", "inputs is missing"),
        (b'{"inputs": {}}', "inputs must be an array"),
        (b'{"inputs": []}', "received 0"),
        (b'{"inputs": [7]}', "inputs[0] must be an object"),
        (b'{"inputs": [{}]}', "inputs[0].name is missing"),
        (b'{"inputs": [{"name": "image"}]}', 'received "image"'),
        (b'{"inputs": [{"name": "images"}]}', "datatype is missing"),
        (b'{"inputs": [{"name": "images", "datatype": "UINT8"}]}', "shape is missing"),
    ],
)
def test_what_is_no_request_is_refused(http: httpx.Client, body: bytes, says: str) -> None:
    """Malformed JSON, and JSON of another form."""
    is_refused(http.post(INFER, content=body), says)


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (pixels(datatype="FP32"), '"FP32"'),
        (pixels(datatype="uint8"), '"uint8"'),
        (pixels(datatype=7), "datatype must be a text"),
        (pixels(data=...), "give either data or"),
        (pixels(data=None), "give either data or"),
        (pixels(data="AAAA"), "data must be an array"),
        (pixels(parameters=[]), "parameters must be an object"),
        (pixels(parameters={"binary_data_size": 192}), "give either data or"),
        (pixels(data=..., parameters={"binary_data_size": 192}), "0 bytes follow"),
        (pixels(data=..., parameters={"binary_data_size": -1}), "0 or more"),
        (pixels(data=..., parameters={"binary_data_size": 1.5}), "whole number"),
        (pixels(data=..., parameters={"binary_data_size": True}), "whole number"),
        (pixels(data=..., parameters={"binary_data_size": "192"}), "whole number"),
        (pixels(data=..., parameters={"binary_data_size": 0}), "takes 192 bytes"),
        (pixels(parameters={"shared_memory_region": "mine"}), "shared memory"),
        (pixels(data=BLACK[1:]), "takes 192 elements; received 191"),
        (pixels(data=[*BLACK, 0]), "received 193"),
        (pixels(data=[]), "received 0"),
        (pixels(data=[256, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[-1, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[HUGE, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[0.5, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[True, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[None, *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=["0", *BLACK[1:]]), "from 0 to 255"),
        (pixels(data=[*BLACK[1:], [0]]), "from 0 to 255"),
        (pixels(data=[[[[0] * 3] * 8] * 7]), "at dimension 1"),
        (pixels(data=[[[[0] * 3] * 8] * 7 + [[[0] * 3] * 7]]), "at dimension 2"),
        (pixels(data=[[[[0] * 3] * 8] * 7 + [[[0] * 3] * 7 + [[0] * 4]]]), "at dimension 3"),
        (pixels(data=[[[[0] * 3] * 8] * 7 + [7]]), "at dimension 2"),
        (pixels(data=[[[[[0]] * 3] * 8] * 8]), "from 0 to 255"),
        (pixels(data=[[], []]), "at dimension 0"),
        (pixels(data=[[]] * 50_000), "at dimension 0"),
    ],
)
def test_pixels_that_do_not_agree_are_refused(http: httpx.Client, tensor: Json, says: str) -> None:
    """Datatype, parameters and data are held against the shape."""
    is_refused(http.post(INFER, content=orjson.dumps({"inputs": [tensor]})), says)


@pytest.mark.parametrize(
    "shape",
    [
        [],
        [192],
        [8, 8, 3],
        [1, 1, 8, 8, 3],
        [-1, 8, 8, 3],
        [1, -8, -8, 3],
        [0, 8, 8, 3],
        [1, 0, HUGE, HUGE],
        [1, HUGE, HUGE, HUGE],
        [1.0, 8, 8, 3],
        [True, 8, 8, 3],
        ["1", 8, 8, 3],
        [None, 8, 8, 3],
        [[1], 8, 8, 3],
        [1] * 20_000,
    ],
)
def test_impossible_shapes_are_refused(http: httpx.Client, shape: list[Any]) -> None:
    """Of any rank and size, in JSON and in bytes, without an attempt to make room for them."""
    refusals = [
        http.post(INFER, content=orjson.dumps({"inputs": [pixels(shape=shape)]})),
        send_binary(
            http, pixels(shape=shape, data=..., parameters={"binary_data_size": 192}), bytes(192), None
        ),
    ]
    for refusal in refusals:
        is_refused(refusal, "shape")
        assert len(refusal.content) < 500


def test_pixels_of_another_shape_are_refused_by_what_is_declared(http: httpx.Client) -> None:
    """No number is looked at: these would be refused themselves."""
    tensor = pixels(shape=[1, 1, 1, 90_000], data=["no pixel"] * 10)
    is_refused(http.post(INFER, json={"inputs": [tensor]}), "N times [8, 8, 3]; received [1, 1, 90000].")


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (files(shape=[]), "[N] or [N, 1]"),
        (files(shape=[1, 2]), "[N] or [N, 1]"),
        (files(shape=[1, 1, 1]), "[N] or [N, 1]"),
        (files(shape=[1, True]), "whole numbers above 0"),
        (files(shape=[0], data=[]), "whole numbers above 0"),
        (files(shape=[2]), "takes 2 elements; received 1"),
        (files(shape=[2, 1], data=[["AA=="]]), "at dimension 0"),
        (files(data=[["AA=="]]), "element 0"),
        (files(shape=[1, 1], data=[[["AA=="]]]), "element 0"),
        (files(data=[7]), "element 0"),
        (files(data=[{"b64": "AA=="}]), "element 0"),
        (files(data=["%%%"]), "images[0]: "),
        (files(data=["data:image/png,AAAA"]), "images[0]: "),
        (files(data=[""]), "images[0]: "),
    ],
)
def test_files_that_do_not_agree_are_refused(http: httpx.Client, tensor: Json, says: str) -> None:
    """Shape, elements and base64."""
    is_refused(http.post(INFER, json={"inputs": [tensor]}), says)


@pytest.mark.parametrize(
    ("tail", "shape", "says"),
    [
        (b"", [1], "ends before element 0"),
        (b"\x00\x00", [1], "ends before element 0"),
        (struct.pack("<I", 5) + b"abcd", [1], "says it has 5 bytes; 4 are left"),
        (struct.pack("<I", 2**32 - 1) + b"abcd", [1], "says it has 4294967295 bytes"),
        (struct.pack(">I", 4) + b"abcd", [1], "says it has 67108864 bytes"),
        (struct.pack("<I", 4) + b"abcd", [2], "ends before element 1"),
        (struct.pack("<I", 3) + b"abcd", [1], "1 bytes follow"),
        (struct.pack("<I", 0) * 3, [2], "4 bytes follow"),
        (struct.pack("<I", 0), [1], "images[0]: "),
        (struct.pack("<I", 0) * 40_000, [1], "159996 bytes follow"),
    ],
)
def test_lying_lengths_of_elements_are_refused(
    http: httpx.Client, tail: bytes, shape: list[int], says: str
) -> None:
    """Each length is held against what is left."""
    tensor = files(shape=shape, data=..., parameters={"binary_data_size": len(tail)})
    is_refused(send_binary(http, tensor, tail), says)


@pytest.mark.parametrize("length", ["-1", "+5", "1.5", "0x10", "five", "²", ""])
def test_a_header_that_is_no_length_is_refused(http: httpx.Client, length: str) -> None:
    """Before the body is read."""
    headers = [(b"Content-Type", b"application/octet-stream"), (LENGTH.encode(), length.encode("latin-1"))]
    is_refused(http.post(INFER, content=b"{}", headers=headers), "number of bytes")


@pytest.mark.parametrize(
    ("length", "says"),
    [
        ("0", "not JSON"),
        ("10", "not JSON"),
        ("100000", "the body has"),
        ("9" * 18, "the body has"),
        ("9" * 5000, "the body has"),
    ],
)
def test_a_header_that_lies_is_refused(http: httpx.Client, length: str, says: str) -> None:
    """It ends the JSON too early or too late."""
    tensor = pixels(data=..., parameters={"binary_data_size": 192})
    is_refused(send_binary(http, tensor, bytes(192), length), says)


@pytest.mark.parametrize("size", [0, 191, 193, HUGE])
def test_a_binary_size_that_lies_is_refused(http: httpx.Client, size: int) -> None:
    """It must be what follows the JSON."""
    tensor = pixels(data=..., parameters={"binary_data_size": size})
    is_refused(send_binary(http, tensor, bytes(192)), f"binary_data_size is {size}, but 192 bytes follow")


def test_bytes_that_nobody_announced_are_refused(http: httpx.Client) -> None:
    """The data is in the JSON, and something follows it."""
    is_refused(send_binary(http, pixels(), b"extra"), "5 bytes follow")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"id": 7}, "id must be a text"),
        ({"parameters": 7}, "parameters must be an object"),
        ({"parameters": {"timeout": -1}}, "0 or more"),
        ({"parameters": {"timeout": "1"}}, "whole number"),
        ({"parameters": {"timeout": 1e30}}, "whole number"),
        ({"parameters": {"binary_data_output": 1}}, "true or false"),
        ({"outputs": {}}, "outputs must be an array"),
        ({"outputs": [7]}, "outputs[0] must be an object"),
        ({"outputs": [{"name": "logits"}]}, '"logits"'),
        ({"outputs": [{"name": "scores"}] * 2}, "received 2"),
        ({"outputs": [{"name": "scores", "parameters": {"binary_data": "yes"}}]}, "true or false"),
        ({"outputs": [{"name": "scores", "parameters": {"classification": -1}}]}, "0 or more"),
        ({"outputs": [{"name": "scores", "parameters": {"classification": 1.0}}]}, "whole number"),
        ({"inputs": [pixels()] * 2}, "received 2"),
        ({"inputs": [pixels(), pixels(name="more")]}, "received 2"),
    ],
)
def test_members_of_the_wrong_kind_are_refused(http: httpx.Client, members: Json, says: str) -> None:
    """Nothing is taken for something else."""
    is_refused(http.post(INFER, json={"inputs": [pixels()], **members}), says)


def test_members_that_are_null_or_unknown_are_left_aside(http: httpx.Client) -> None:
    """Clients of other servers write both; the greatest numbers mean no more than large ones."""
    request = {
        "id": None,
        "model_name": "colours",
        "parameters": {"timeout": 2**64 - 1, "binary_data_output": None},
        "inputs": [pixels(parameters=None, data=[[[[0, 0, 0]] * 8] * 8])],
        "outputs": [{"name": "scores", "parameters": {"classification": 2**64 - 1}}],
    }
    answer = http.post(INFER, content=orjson.dumps(request)).json()
    assert {"model_name": "colours", "model_version": "1"} == {
        name: answer[name] for name in answer if name != "outputs"
    }
    assert 3 == len(answer["outputs"][0]["data"])
    assert 200 == http.post(INFER, json={"inputs": [pixels()], "outputs": None}).status_code


def test_a_large_body_is_refused_before_it_is_read(http: httpx.Client) -> None:
    """With the protocol's form of an error."""
    is_refused(http.post(INFER, content=bytes(200_001)), "at most 200000 bytes", 413)
    answer = http.post("/v2/repository/index", content=bytes(4097))
    is_refused(answer, "at most 4096 bytes", 413)


def test_a_long_array_costs_no_more_than_its_bytes(make_gateway: MakeGateway) -> None:
    """Ten million bytes of elements that fit no shape are refused, and the next request is answered."""
    gateway = make_gateway(request_timeout_s=10.0)
    head = b'{"inputs":[{"name":"images","datatype":"UINT8","shape":[1,8,8,3],"data":['
    for element in (b"0,", b'"",', b"1e9,", b"[],", b"{},", b"[0],"):
        body = head + element * (10_000_000 // len(element)) + element[:-1] + b"]}]}"
        is_refused(gateway.http.post(INFER, content=body), "too many arrays and objects, or values")
    assert 200 == gateway.http.post(INFER, json={"inputs": [pixels()]}).status_code
