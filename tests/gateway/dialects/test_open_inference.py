"""The Open Inference Protocol as Triton's own client speaks it, unchanged."""

import base64
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

RED, BLUE = (200, 30, 30), (10, 60, 220)

MakePicture = Callable[..., bytes]


@pytest.fixture(name="client")
def _client(http: httpx.Client) -> Iterator[InferenceServerClient]:
    """Give Triton's client of the gateway that this module's tests share."""
    with InferenceServerClient(http.base_url.netloc.decode()) as client:
        yield client


def scores_of(colour: tuple[int, int, int]) -> np.ndarray:
    """Return what the model of the tests answers to a picture of one colour."""
    logits = 10.0 * np.array(colour) / 255
    return np.exp(logits) / np.exp(logits).sum()


def pixels_input(*colours: tuple[int, int, int], binary: bool = True) -> InferInput:
    """Return pictures of one colour each, as raw pixels."""
    pixels = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours])
    return InferInput("images", list(pixels.shape), "UINT8").set_data_from_numpy(pixels, binary)


def files_input(*files: bytes, binary: bool = True, column: bool = False) -> InferInput:
    """Return picture files: as they are, or as base64 where the request is JSON alone."""
    elements = np.array(files if binary else [base64.b64encode(file) for file in files], np.object_)
    if column:
        elements = elements[:, np.newaxis]
    return InferInput("images", list(elements.shape), "BYTES").set_data_from_numpy(elements, binary)


def refusal(client: InferenceServerClient, given: InferInput, **arguments: object) -> tuple[str, str]:
    """Return status and text of the error that the client raises."""
    with pytest.raises(InferenceServerException) as refused:
        client.infer("colours", [given], **arguments)
    return refused.value.status(), refused.value.message()


@pytest.mark.parametrize("answered_binary", [True, False])
@pytest.mark.parametrize("sent_binary", [True, False])
@pytest.mark.parametrize("kind", ["UINT8", "BYTES", "BYTES as a column"])
def test_scores_come_back_in_the_order_of_the_pictures(
    client: InferenceServerClient,
    picture: MakePicture,
    kind: str,
    *,
    sent_binary: bool,
    answered_binary: bool,
) -> None:
    """Pixels and files, each in JSON and in bytes, give the same scores in JSON and in bytes."""
    given = (
        pixels_input(RED, BLUE, binary=sent_binary)
        if kind == "UINT8"
        else files_input(picture(RED), picture(BLUE), binary=sent_binary, column=kind != "BYTES")
    )
    outputs = [InferRequestedOutput("scores", binary_data=answered_binary)]
    answer = client.infer("colours", [given], outputs=outputs, request_id="küche-7")
    scores = answer.as_numpy("scores")
    assert (np.dtype(np.float32), (2, 3)) == (scores.dtype, scores.shape)
    np.testing.assert_allclose(scores, [scores_of(RED), scores_of(BLUE)], atol=1e-6)
    assert "küche-7" == answer.get_response()["id"]
    assert ("colours", "1") == (answer.get_response()["model_name"], answer.get_response()["model_version"])


@pytest.mark.parametrize("answered_binary", [True, False])
@pytest.mark.parametrize("classes", [1, 2, 9])
def test_classification_gives_score_index_and_label(
    client: InferenceServerClient, classes: int, *, answered_binary: bool
) -> None:
    """Highest first, written as Triton writes it; more classes than there are give all."""
    outputs = [InferRequestedOutput("scores", binary_data=answered_binary, class_count=classes)]
    answer = client.infer("colours", [pixels_input(RED, BLUE)], outputs=outputs)
    rows = answer.as_numpy("scores")
    assert (2, min(classes, 3)) == rows.shape
    texts = [text.decode() if answered_binary else text for text in rows[:, 0]]
    expected = [f"{scores_of(RED)[0]:.6f}:0:röd", f"{scores_of(BLUE)[2]:.6f}:2:blue"]
    assert expected == texts
    values = [float(str(text, "utf-8").split(":")[0]) for text in rows[0]] if answered_binary else []
    assert sorted(values, reverse=True) == values


def test_outputs_are_binary_by_default_for_this_client(client: InferenceServerClient) -> None:
    """Without a list of outputs the client asks for bytes with one parameter of the request."""
    answer = client.infer("colours", [pixels_input(RED)])
    assert {"binary_data_size": 12} == answer.get_output("scores")["parameters"]
    assert "id" not in answer.get_response()


def test_requests_may_run_side_by_side(http: httpx.Client) -> None:
    """The client's asynchronous calls are answered each with its own."""
    with InferenceServerClient(http.base_url.netloc.decode(), concurrency=4) as client:
        colours = [RED, BLUE] * 4
        calls = [client.async_infer("colours", [pixels_input(colour)]) for colour in colours]
        answers = [call.get_result().as_numpy("scores")[0].argmax() for call in calls]
    assert [0, 2] * 4 == answers


def test_base64_is_read_in_each_of_its_spellings(http: httpx.Client, picture: MakePicture) -> None:
    """Standard and URL-safe, padded or not, a data URI; all name the same picture."""
    text = base64.b64encode(picture()).decode()
    spellings = [text.rstrip("="), text.replace("+", "-").replace("/", "_"), f"data:image/png;base64,{text}"]
    data = [[spelling] for spelling in spellings]
    tensor = {"name": "images", "datatype": "BYTES", "shape": [3, 1], "data": data}
    (output,) = http.post("/v2/models/colours/infer", json={"inputs": [tensor]}).json()["outputs"]
    assert [3, 3] == output["shape"]
    assert output["data"][:3] == output["data"][3:6] == output["data"][6:]


def test_one_refused_picture_refuses_the_request_and_is_named(
    client: InferenceServerClient, picture: MakePicture
) -> None:
    """The protocol has no error for one of several."""
    status, text = refusal(client, files_input(picture(), b"no picture"))
    assert "400" == status
    assert text.startswith("images[1]: ")
    status, text = refusal(client, files_input(picture()[:60]))
    assert ("400", True) == (status, text.startswith("images[0]: "))


def test_pixels_of_another_shape_are_refused(client: InferenceServerClient) -> None:
    """The refusal says what the model takes."""
    pixels = np.zeros((1, 9, 8, 3), np.uint8)
    given = InferInput("images", [1, 9, 8, 3], "UINT8").set_data_from_numpy(pixels)
    status, text = refusal(client, given)
    assert "400" == status
    assert "[8, 8, 3]" in text
    assert "[9, 8, 3]" in text


def test_more_pictures_than_allowed_are_refused(client: InferenceServerClient) -> None:
    """Before they are looked at."""
    status, text = refusal(client, pixels_input(*[RED] * 4))
    assert ("413", "The request has 4 pictures; at most 3 are allowed.") == (status, text)


def test_the_requests_own_timeout_is_kept(client: InferenceServerClient) -> None:
    """In microseconds, as Triton counts; 0 is none."""
    status, text = refusal(client, pixels_input(RED), timeout=1)
    assert "504" == status
    assert "Time ran out" in text
    assert client.infer("colours", [pixels_input(RED)], timeout=0) is not None
    assert client.infer("colours", [pixels_input(RED)], timeout=30_000_000) is not None


def test_parameters_of_other_servers_are_ignored(client: InferenceServerClient) -> None:
    """Order and priority mean nothing to a model without memory; their senders are answered all the same."""
    answer = client.infer(
        "colours",
        [pixels_input(RED)],
        sequence_id=7,
        sequence_start=True,
        priority=3,
        parameters={"tenant": "kitchen"},
    )
    assert (1, 3) == answer.as_numpy("scores").shape


def test_shared_memory_is_refused(client: InferenceServerClient) -> None:
    """Neither for the pictures nor for the scores, and the client hears why."""
    given = InferInput("images", [1, 8, 8, 3], "UINT8")
    given.set_shared_memory("region", 192)
    assert ("400", True) == (refusal(client, given)[0], "shared memory" in refusal(client, given)[1])
    output = InferRequestedOutput("scores")
    output.set_shared_memory("region", 12)
    status, text = refusal(client, pixels_input(RED), outputs=[output])
    assert ("400", True) == (status, "shared memory" in text)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_requests_are_read(client: InferenceServerClient, coding: str, *, binary: bool) -> None:
    """As Triton's client compresses them; compressed answers are not sent, whatever is accepted."""
    answer = client.infer(
        "colours",
        [pixels_input(RED, binary=binary)],
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    np.testing.assert_allclose(answer.as_numpy("scores"), [scores_of(RED)], atol=1e-6)
