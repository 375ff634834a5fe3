"""What the stand-in refuses, with the codes and the texts of the real server."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from tfs.apis import TensorProto, types_pb2
from tfs.stand_in import StandIn

PICTURE = np.zeros((1, 8, 8, 3), np.uint8)
PROBE = np.zeros(1, np.int32)
SHORT = TensorProto(dtype=types_pb2.DT_UINT8, tensor_content=b"12")
SHORT.tensor_shape.dim.add(size=3)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PREDICTS = {
    "unknown model": (
        {"name": "nope"},
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(nope)",
    ),
    "unknown version": (
        {"version": 9},
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(colours, 9)",
    ),
    "unloaded version": (
        {"version": 3},
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(colours, 3)",
    ),
    "unknown label": ({"label": "gold"}, INVALID, "Unrecognized servable version label: gold"),
    "any label of an unknown model": (
        {"name": "nope", "label": "stable"},
        INVALID,
        "Unrecognized servable version label: stable",
    ),
    "a label whose version is gone": (
        {"label": "old"},
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(colours, 3)",
    ),
    "no name": ({"name": ""}, INVALID, "ModelSpec has no name specified."),
    "unknown signature": (
        {"signature": "zz"},
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "zz" not found.',
    ),
    "unknown input": (
        {"inputs": {"image": PICTURE}},
        INVALID,
        (
            "Signature input alias: images(feed name: serving_default_images:0) not found in request and "
            "no default value provided. Inputs expected to be in the request {image}, or default input "
            "alias set: "
        ),
    ),
    "extra input": (
        {"inputs": {"images": PICTURE, "b": PICTURE}},
        INVALID,
        (
            "input size does not match signature: 2!=1 len({b,images}) != len({images}). Sent extra: {b}. "
            "Missing but required: {}."
        ),
    ),
    "missing input": (
        {"inputs": {}},
        INVALID,
        (
            "input size does not match signature: 0!=1 len({}) != len({images}). Sent extra: {}. "
            "Missing but required: {images}."
        ),
    ),
    "unknown output": (
        {"outputs": ("zzz",)},
        INVALID,
        "output tensor alias not found in signature: zzz Outputs expected to be in the set {scores}.",
    ),
    "output named twice": (
        {"outputs": ("scores", "scores")},
        INVALID,
        "duplicate output tensor alias: scores",
    ),
    "wrong type": (
        {"inputs": {"images": PICTURE.astype(np.float32)}},
        INVALID,
        "Expects arg[0] to be uint8 but float is provided",
    ),
    "wrong size": (
        {"inputs": {"images": np.zeros((1, 9, 8, 3), np.uint8)}},
        INVALID,
        "Shape of tensor serving_default_images:0 [1,9,8,3] is not compatible with expected shape [?,8,8,3].",
    ),
    "wrong rank": (
        {"inputs": {"images": np.zeros((8, 8, 3), np.uint8)}},
        INVALID,
        "Shape of tensor serving_default_images:0 [8,8,3] is not compatible with expected shape [?,8,8,3].",
    ),
    "wrong content length": ({"inputs": {"images": SHORT}}, INVALID, "tensor parsing error: images"),
    "no type": ({"inputs": {"images": TensorProto()}}, INVALID, "tensor parsing error: images"),
}


@pytest.fixture
def client(tfs: Callable[..., StandIn], ask: Callable[..., Any]) -> Iterator[Any]:
    """Ask a server with versions 1 and 2, one that has ended, and labels."""
    server = tfs(versions=(1, 2))
    server.unload(3)
    server.label("stable", 1)
    server.label("old", 3)
    return ask(server.address)


@pytest.mark.parametrize("case", PREDICTS)
def test_a_predict_is_refused_as_by_the_real_server(
    case: str, client: Any, request_for: Callable[..., Any]
) -> None:
    """Code and text; what follows the text is the graph's own."""
    asked, code, text = PREDICTS[case]
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for(**asked))

    assert (code, text) == (refused.value.code(), refused.value.details()[: len(text)])


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        ({"name": "nope"}, grpc.StatusCode.NOT_FOUND, "Could not find any versions of model nope"),
        (
            {"name": "colours", "version": 9},
            grpc.StatusCode.NOT_FOUND,
            "Could not find version 9 of model colours",
        ),
        ({"name": "colours", "label": "gold"}, INVALID, "Unrecognized servable version label: gold"),
        ({"name": ""}, INVALID, "ModelSpec has no name specified."),
    ],
)
def test_a_question_for_status_is_refused_as_by_the_real_server(
    spec: dict[str, Any], code: grpc.StatusCode, text: str, client: Any
) -> None:
    """Its texts are others than Predict's."""
    with pytest.raises(grpc.RpcError) as refused:
        client.status(**spec)

    assert (code, text) == (refused.value.code(), refused.value.details())


def test_what_is_no_message_is_an_internal_error(tfs: Callable[..., StandIn]) -> None:
    """Undecodable bytes: INTERNAL, and no text."""
    with grpc.insecure_channel(tfs().address) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(b"\xff\xff", timeout=30)

    assert (grpc.StatusCode.INTERNAL, "") == (refused.value.code(), refused.value.details())


def test_a_long_text_is_cut(
    tfs: Callable[..., StandIn], ask: Callable[..., Any], request_for: Callable[..., Any]
) -> None:
    """At 1024 letters, and it says so."""
    server = tfs()
    server.faults.fail("ABORTED", "x" * 2000, times=1)
    with pytest.raises(grpc.RpcError) as refused:
        ask(server.address).predict(request_for())

    assert "x" * 1024 + "...TRUNCATED" == refused.value.details()


def test_more_calls_at_once_than_threads_are_refused(
    tfs: Callable[..., StandIn],
    ask: Callable[..., Any],
    request_for: Callable[..., Any],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """The one above the limit, at once; the others are answered."""
    server = tfs(most_at_once=1)
    client = ask(server.address)
    server.faults.hold("Predict")
    first = client.later(request_for())
    wait_until(lambda: server.faults.held == 1)
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for())
    server.faults.heal()

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == refused.value.code()
    assert grpc.StatusCode.OK == first.code()
