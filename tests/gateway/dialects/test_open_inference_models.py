"""What the Open Inference Protocol says of the server and its models, and how it is counted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.backends.protocol import ModelStatus

LABELS = ["röd", "green", "blue"]
INFER = "/v2/models/colours/infer"
REQUEST = {"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [0] * 192}]}

MakeGateway = Callable[..., Any]
Publish = Callable[..., Path]


@pytest.fixture(name="client")
def _client(http: httpx.Client) -> Iterator[InferenceServerClient]:
    """Give Triton's client of the gateway that this module's tests share."""
    with client_of(http) as client:
        yield client


def client_of(http: httpx.Client) -> InferenceServerClient:
    """Return Triton's client as it comes."""
    return InferenceServerClient(http.base_url.netloc.decode())


class Labelled(EmbeddedBackend):
    """A backend whose version 1 is labelled, as TensorFlow Serving's versions may be."""

    def models(self) -> Sequence[ModelStatus]:
        """Return every model with the label."""
        return tuple(replace(model, labels={"stable": 1}) for model in super().models())


def red_input() -> InferInput:
    """Return one picture whose scores tell versions apart."""
    pixels = np.full((1, 8, 8, 3), (200, 180, 180), np.uint8)
    return InferInput("images", [1, 8, 8, 3], "UINT8").set_data_from_numpy(pixels)


def test_the_server_introduces_itself(client: InferenceServerClient) -> None:
    """Name and extensions by which a client decides what to use."""
    metadata = client.get_server_metadata()
    assert "pictor" == metadata["name"]
    assert {"binary_tensor_data", "classification"} <= set(metadata["extensions"])
    assert client.is_server_live()
    assert client.is_server_ready()


def test_a_model_introduces_itself(client: InferenceServerClient) -> None:
    """Metadata and configuration name its tensors; labels come along."""
    metadata = client.get_model_metadata("colours")
    assert ("colours", ["1"]) == (metadata["name"], metadata["versions"])
    assert "onnx_onnxv1" == metadata["platform"]
    assert [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}] == metadata["inputs"]
    assert [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}] == metadata["outputs"]
    assert LABELS == metadata["parameters"]["labels"]
    config = client.get_model_config("colours", "1")
    assert ("colours", 3) == (config["name"], config["max_batch_size"])
    assert [{"name": "images", "data_type": "TYPE_UINT8", "dims": [8, 8, 3]}] == config["input"]
    assert client.is_model_ready("colours")
    assert client.is_model_ready("colours", "1")


@pytest.mark.parametrize("version", ["", "1"])
def test_an_unknown_model_is_not_found(client: InferenceServerClient, version: str) -> None:
    """On every address of a model."""
    for ask in (client.get_model_metadata, client.get_model_config):
        with pytest.raises(InferenceServerException, match="There is no model 'nope'") as refused:
            ask("nope", version)
        assert "404" == refused.value.status()
    with pytest.raises(InferenceServerException, match="There is no model 'nope'") as refused:
        client.infer("nope", [red_input()], model_version=version)
    assert "404" == refused.value.status()
    assert not client.is_model_ready("nope", version)


@pytest.mark.parametrize("version", ["9", "9" * 5000, "gold", "-1", "1.0", "%C2%B2"])
def test_an_unknown_version_is_not_found(client: InferenceServerClient, version: str) -> None:
    """Whether it is a number or a label."""
    with pytest.raises(InferenceServerException) as refused:
        client.get_model_metadata("colours", version)
    assert "404" == refused.value.status()
    assert not client.is_model_ready("colours", version)


def test_versions_are_asked_by_number(make_gateway: MakeGateway, publish: Publish) -> None:
    """The newest answers unless the address names another; both are in the metadata."""
    publish("colours", 2)
    gateway = make_gateway(keep_versions=2)
    with client_of(gateway.http) as client:
        assert ["2", "1"] == client.get_model_metadata("colours")["versions"]
        assert "1" == client.get_model_metadata("colours", "1")["parameters"]["version"]
        for asked, version in (("", 2), ("1", 1), ("2", 2)):
            answer = client.infer("colours", [red_input()], model_version=asked)
            assert str(version) == answer.get_response()["model_version"]
            logits = 10.0 * version * np.array([200, 180, 180]) / 255
            expected = np.exp(logits) / np.exp(logits).sum()
            np.testing.assert_allclose(answer.as_numpy("scores")[0], expected, atol=1e-6)


def test_a_version_may_be_asked_by_its_label(
    make_gateway: MakeGateway, publish: Publish, store: Path
) -> None:
    """A label stands where the number would."""
    publish("colours", 2)
    gateway = make_gateway(Labelled(store, 2, 2, 0.02))
    with client_of(gateway.http) as client:
        answer = client.infer("colours", [red_input()], model_version="stable")
        assert "1" == answer.get_response()["model_version"]
        assert client.is_model_ready("colours", "stable")
        assert not client.is_model_ready("colours", "canary")


def test_the_repository_lists_every_version(make_gateway: MakeGateway, publish: Publish) -> None:
    """Those that were refused with their reason, unless only ready ones are asked for."""
    publish("broken", 1, spoil=lambda folder: (folder / "contract.json").write_text("{}"))
    gateway = make_gateway()
    with client_of(gateway.http) as client:
        broken, colours = client.get_model_repository_index()
    assert ("broken", "1", "UNAVAILABLE") == (broken["name"], broken["version"], broken["state"])
    assert broken["reason"]
    ready = {"name": "colours", "version": "1", "state": "READY", "reason": ""}
    assert ready == colours
    assert [ready] == gateway.http.post("/v2/repository/index", json={"ready": True}).json()
    refused = gateway.http.post("/v2/repository/index", content=b"[")
    assert (400, {"error"}) == (refused.status_code, set(refused.json()))


def test_a_model_that_cannot_answer_is_not_ready(make_gateway: MakeGateway, publish: Publish) -> None:
    """Its own readiness says so; the server stays ready as long as another model answers."""
    publish("broken", 1, spoil=lambda folder: (folder / "contract.json").write_text("{}"))
    gateway = make_gateway()
    answer = gateway.http.get("/v2/models/broken/ready")
    assert (503, False) == (answer.status_code, answer.json()["ready"])
    assert 503 == gateway.http.get("/v2/models/broken").status_code
    with client_of(gateway.http) as client:
        assert client.is_server_ready()
        assert not client.is_model_ready("broken")


def test_a_server_without_models_is_alive_and_not_ready(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """Two questions, two answers."""
    with client_of(make_gateway(models=tmp_path / "empty").http) as client:
        assert client.is_server_live()
        assert not client.is_server_ready()


def test_a_draining_server_is_not_ready(make_gateway: MakeGateway) -> None:
    """It still answers whom it has."""
    gateway = make_gateway()
    gateway.app.state.gateway.lifecycle.draining = True
    answer = gateway.http.get("/v2/health/ready")
    assert (503, {"ready": False}) == (answer.status_code, answer.json())
    with client_of(gateway.http) as client:
        assert client.infer("colours", [red_input()]) is not None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models", 404),
        ("POST", "/v2/repository/models/colours/load", 404),
        ("GET", "/v2/models/colours/stats", 404),
        ("GET", INFER, 405),
        ("POST", "/v2", 405),
        ("DELETE", "/v2/models/colours", 405),
    ],
)
def test_what_is_not_served_is_said_in_the_protocols_form(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    """Also where no handler is reached."""
    answer = http.request(method, path)
    assert (status, {"error"}) == (answer.status_code, set(answer.json()))


def test_probes_need_no_key_and_all_else_does(make_gateway: MakeGateway) -> None:
    """The client sends the key as a header of its own; without one it hears why it is refused."""
    key = "a key of some length"
    gateway = make_gateway(api_keys=f"kitchen:{sha256(key.encode()).hexdigest()}")
    with client_of(gateway.http) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        for ask in (client.get_server_metadata, client.get_model_repository_index):
            with pytest.raises(InferenceServerException, match="key") as refused:
                ask()
            assert "401" == refused.value.status()
            assert ask(headers={"Authorization": f"Bearer {key}"})
        with pytest.raises(InferenceServerException, match="key"):
            client.infer("colours", [red_input()])
        assert client.infer("colours", [red_input()], headers={"Authorization": f"Bearer {key}"})


def test_a_full_gateway_says_so(make_gateway: MakeGateway) -> None:
    """With the status and the header that Triton's clients and meshes know."""
    gateway = make_gateway(max_concurrent_requests=1)
    with gateway.app.state.gateway.admission.slot():
        answer = gateway.http.post(INFER, json=REQUEST)
    assert (503, {"error"}) == (answer.status_code, set(answer.json()))
    assert answer.headers["Retry-After"]


def test_requests_are_counted_under_the_dialect(make_gateway: MakeGateway) -> None:
    """With the model that answered; probes and wrong addresses are told apart."""
    http = make_gateway().http
    answer = http.post(INFER, json=REQUEST)
    assert ("colours", "1") == (answer.headers["X-Model-Name"], answer.headers["X-Model-Version"])
    assert "inference;dur=" in answer.headers["Server-Timing"]
    http.get("/v2/health/ready")
    http.get("/v2/nothing")
    page = http.get("/metrics").text
    counted = 'pictor_requests_total{dialect="%s",model="%s",outcome="%s",version="%s"} 1.0'
    assert counted % ("open_inference", "colours", "ok", "1") in page
    assert counted % ("probe", "other", "ok", "other") in page
    assert counted % ("open_inference", "other", "client_error", "other") in page


def test_the_documented_examples_work(http: httpx.Client) -> None:
    """They are answered; the one with another model's pixels is refused for its shape."""
    described = http.get("/openapi.json").json()["paths"]
    for path in ("/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"):
        operation = described[path]["post"]
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        answers = [http.post(INFER, json=example["value"]) for example in examples.values()]
        assert [200, 200, 400] == [answer.status_code for answer in answers]
        assert answers[0].json().keys() == {"model_name", "model_version", "id", "outputs"}
        shown = operation["responses"]["200"]["content"]["application/json"]["examples"]["scores"]["value"]
        assert answers[0].json().keys() == shown.keys()
