"""TensorFlow Serving's REST API, as its clients use it: pictures in, bodies of its shapes out."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_contract import ImageContract, PictureInput
from pictor_gateway import Inference, ModelStatus, VersionStatus
from pictor_gateway.request.deadline import Deadline

MakePicture = Callable[..., bytes]
MakeGateway = Callable[..., Any]

MODEL = "/v1/models/colours"
RED, GREEN, BLUE = (200, 30, 30), (20, 190, 20), (10, 60, 220)


@dataclass(frozen=True)
class ConstantVersion:
    """A version that answers every picture with the same scores."""

    version: int
    scores: tuple[float, float]
    name: str = "cnn"
    digest: str = "0" * 64
    backend: str = "embedded"
    parallel_calls: int = 1
    contract: ImageContract = field(
        default_factory=lambda: ImageContract("cnn", ("no", "yes"), "binary", PictureInput(2, 3))
    )

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Answer."""
        return Inference(np.array([self.scores] * len(pictures), np.float32), 0.0, 0.0)


@dataclass
class StandingBackend:
    """A backend that stands still, on a model in which every state occurs and versions have labels."""

    versions: Sequence[VersionStatus]
    labels: Mapping[str, int]
    source: str = "a test"
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Be there."""
        self.started.set()

    async def close(self) -> None:
        """Have nothing to give back."""

    def models(self) -> Sequence[ModelStatus]:
        """Return the one model."""
        return (ModelStatus("cnn", tuple(self.versions), self.labels),)

    async def refresh(self, model: str) -> None:
        """See nothing new."""

    async def learn_label(self, model: str, label: str) -> None:
        """Find no other label."""


def standing() -> StandingBackend:
    """Return a model with two versions that answer and four that do not."""
    newer, older = ConstantVersion(5, (0.25, 0.75)), ConstantVersion(4, (0.5, 0.5))
    versions = (
        VersionStatus(6, "loading"),
        VersionStatus(5, "available", served=newer),
        VersionStatus(4, "available", served=older),
        VersionStatus(3, "unloading"),
        VersionStatus(2, "ended"),
        VersionStatus(1, "refused", "The golden example is answered differently."),
    )
    return StandingBackend(versions, {"stable": 4, "canary": 5, "old": 2})


def b64(picture: bytes) -> dict[str, str]:
    """Return a picture as TensorFlow Serving's clients write bytes."""
    return {"b64": base64.b64encode(picture).decode()}


def raw(colour: tuple[int, int, int]) -> list[Any]:
    """Return a picture as a nested list of numbers."""
    return np.full((8, 8, 3), colour, np.uint8).tolist()


def scores_of(*colours: tuple[int, int, int], sharpness: float = 10.0) -> Any:
    """Return what the tiny model answers."""
    logits = np.array(colours) * sharpness / 255
    exponents = np.exp(logits)
    return pytest.approx(exponents / exponents.sum(axis=1, keepdims=True), abs=1e-5)


@pytest.mark.parametrize("place", ["", "/versions/1"])
def test_rows_of_pictures_get_rows_of_scores(http: httpx.Client, picture: MakePicture, place: str) -> None:
    """`instances` are answered with `predictions`, in order; the one output is not named."""
    body = {"instances": [b64(picture(RED)), b64(picture(BLUE, form="BMP"))]}
    answer = http.post(f"{MODEL}{place}:predict", json=body)
    assert 200 == answer.status_code
    assert ["predictions"] == list(answer.json())
    assert scores_of(RED, BLUE) == np.array(answer.json()["predictions"])
    assert "application/json" == answer.headers["content-type"]
    assert "1" == answer.headers["x-model-version"]


@pytest.mark.parametrize("named", [False, True])
def test_columns_of_pictures_get_a_column_of_scores(
    http: httpx.Client, picture: MakePicture, *, named: bool
) -> None:
    """`inputs` are answered with `outputs`; the one input may be named."""
    pictures = [b64(picture(GREEN)), raw(RED)]
    body = {"signature_name": "serving_default", "inputs": {"images": pictures} if named else pictures}
    answer = http.post(f"{MODEL}:predict", json=body)
    assert ["outputs"] == list(answer.json())
    assert scores_of(GREEN, RED) == np.array(answer.json()["outputs"])


def test_a_picture_may_come_in_every_form_at_once(http: httpx.Client, picture: MakePicture) -> None:
    """Encoded in either alphabet or as data URI, or raw, or named: mixed in one request."""
    text = base64.b64encode(picture(RED)).decode()
    forms = [
        {"b64": text.translate(str.maketrans("+/", "-_")).rstrip("=")},
        {"images": {"b64": f"data:image/png;base64,{text}"}},
        {"images": raw(GREEN)},
    ]
    answers = [http.post(f"{MODEL}:predict", json={"instances": some}) for some in (forms, [raw(BLUE)])]
    assert [200, 200] == [answer.status_code for answer in answers]
    assert scores_of(RED, RED, GREEN) == np.array(answers[0].json()["predictions"])
    assert scores_of(BLUE) == np.array(answers[1].json()["predictions"])


def test_the_content_type_does_not_matter(http: httpx.Client, picture: MakePicture) -> None:
    """TensorFlow Serving never looks at it: `curl -d` says it is a form. Windows adds a byte order mark."""
    body = b"\xef\xbb\xbf" + json.dumps({"instances": [b64(picture(RED))], "parameters": {"k": 1}}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert 200 == http.post(f"{MODEL}:predict", content=body, headers=headers).status_code


def test_scores_have_no_more_digits_than_a_float32(http: httpx.Client, picture: MakePicture) -> None:
    """0.2 is written so, not as 0.20000000298023224, and is the same float32 again."""
    text = http.post(f"{MODEL}:predict", json={"instances": [b64(picture(RED))]}).text
    written = text.removeprefix('{"predictions":[[').removesuffix("]]}").split(",")
    assert written == [np.format_float_positional(np.float32(one), trim="-") for one in written]


@pytest.mark.parametrize(
    ("body", "key", "times"),
    [
        ({"instances": [0]}, "predictions", 1),
        ({"instances": [{"probe": 7}, -1]}, "predictions", 2),
        ({"inputs": [0, 0]}, "outputs", 2),
        ({"inputs": {"probe": [0]}}, "outputs", 1),
    ],
)
def test_the_contract_is_a_signature_of_its_own(
    http: httpx.Client, body: dict[str, Any], key: str, times: int
) -> None:
    """It is answered as text, once for each number."""
    answer = http.post(f"{MODEL}:predict", json={"signature_name": "contract", **body})
    contracts = [ImageContract.from_json(text) for text in answer.json()[key]]
    assert ["colours"] * times == [contract.name for contract in contracts]


def test_classify_names_the_scores(http: httpx.Client, picture: MakePicture) -> None:
    """Every label with its score, in the model's order; other features do no harm."""
    examples = [
        {"images": b64(picture(RED)), "caption": "seaside"},
        {"image": [b64(picture(GREEN))]},
        {"images": raw(BLUE)},
    ]
    answer = http.post(f"{MODEL}:classify", json={"examples": examples, "context": {"station": "north"}})
    assert ["results"] == list(answer.json())
    results = answer.json()["results"]
    assert [["röd", "green", "blue"]] * 3 == [[label for label, _ in one] for one in results]
    assert scores_of(RED, GREEN, BLUE) == np.array([[score for _, score in one] for one in results])


def test_the_context_may_hold_what_examples_share(http: httpx.Client, picture: MakePicture) -> None:
    """As in TensorFlow Serving, it is a part of each example."""
    body = {"context": {"images": b64(picture(RED))}, "examples": [{}, {"caption": "again"}]}
    assert 2 == len(http.post(f"{MODEL}:classify", json=body).json()["results"])


def test_a_version_is_chosen_by_number_or_label(make_gateway: MakeGateway) -> None:
    """Nothing said means the newest that answers; a label may stand on a version that does not."""
    http = make_gateway(standing()).http
    body = {"instances": [np.zeros((2, 3, 3), int).tolist()]}
    places = ("", "/versions/4", "/versions/0005", "/labels/stable", "/labels/canary")
    answers = [http.post(f"/v1/models/cnn{place}:predict", json=body) for place in places]
    newer, older = [[0.25, 0.75]], [[0.5, 0.5]]
    assert [newer, older, newer, older, newer] == [answer.json()["predictions"] for answer in answers]
    unloaded = http.post("/v1/models/cnn/labels/old:predict", json=body)
    assert {"error": "Servable not found for request: Specific(cnn, 2)"} == unloaded.json()


def test_the_status_is_written_as_tensorflow_serving_writes_it(http: httpx.Client) -> None:
    """To the letter: versions are texts, one space indents."""
    expected = """{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""
    places = ("", "/versions/1", "/labels/anything")
    assert [expected] * 3 == [http.get(MODEL + place).text for place in places]


def test_every_state_has_its_word(make_gateway: MakeGateway) -> None:
    """A refused version has ended, with the reason; a label changes nothing."""
    http = make_gateway(standing()).http
    every = http.get("/v1/models/cnn").json()["model_version_status"]
    expected = ["LOADING", "AVAILABLE", "AVAILABLE", "UNLOADING", "END", "END"]
    assert expected == [one["state"] for one in every]
    assert {"error_code": "OK", "error_message": ""} == every[4]["status"]
    reason = "The golden example is answered differently."
    assert {"error_code": "FAILED_PRECONDITION", "error_message": reason} == every[5]["status"]
    assert every == http.get("/v1/models/cnn/labels/stable").json()["model_version_status"]
    assert [every[3]] == http.get("/v1/models/cnn/versions/3").json()["model_version_status"]


def test_the_metadata_is_written_as_tensorflow_serving_writes_it(make_gateway: MakeGateway) -> None:
    """Its odd line breaks included; each of its three addresses tells of the version it means."""
    http = make_gateway(standing()).http
    text = http.get("/v1/models/cnn/labels/stable/metadata").text
    head = '{\n"model_spec":{\n "name": "cnn",\n "signature_name": "",\n "version": "4"\n}\n,\n'
    head += '"metadata": {"signature_def": {\n "signature_def": {\n  "serving_default": {\n   "inputs": {\n'
    assert text.startswith(head)
    signatures = json.loads(text)["metadata"]["signature_def"]["signature_def"]
    images = signatures["serving_default"]["inputs"]["images"]
    assert ("DT_UINT8", False) == (images["dtype"], images["tensor_shape"]["unknown_rank"])
    assert ["-1", "2", "3", "3"] == [side["size"] for side in images["tensor_shape"]["dim"]]
    scores = signatures["serving_default"]["outputs"]["scores"]
    assert ["-1", "2"] == [side["size"] for side in scores["tensor_shape"]["dim"]]
    assert ["DT_INT32", "DT_STRING"] == [
        signatures["contract"][way][name]["dtype"]
        for way, name in (("inputs", "probe"), ("outputs", "contract"))
    ]
    versions = [
        http.get(f"/v1/models/cnn{place}/metadata").json()["model_spec"]["version"]
        for place in ("", "/versions/4")
    ]
    assert ["5", "4"] == versions


def test_head_is_get_without_the_body(http: httpx.Client) -> None:
    """For each of the two questions."""
    answers = [http.head(MODEL), http.head(f"{MODEL}/metadata")]
    assert [(200, ""), (200, "")] == [(answer.status_code, answer.text) for answer in answers]


def test_the_list_of_models_stays_pictors_own(http: httpx.Client) -> None:
    """TensorFlow Serving has none."""
    assert "models" in http.get("/v1/models").json()


def test_the_documented_examples_work(http: httpx.Client) -> None:
    """Pasted as they are, they are answered."""
    paths = http.get("/openapi.json").json()["paths"]
    answers = [
        http.post(f"{MODEL}:{verb}", json=example["value"])
        for verb in ("predict", "classify")
        for example in paths[f"/v1/models/{{model}}:{verb}"]["post"]["requestBody"]["content"][
            "application/json"
        ]["examples"].values()
    ]
    assert [200] * 5 == [answer.status_code for answer in answers]


def test_the_dialect_is_counted_under_its_name(make_gateway: MakeGateway, store: Path) -> None:
    """Also what is not found under its addresses."""
    http = make_gateway().http
    http.get(MODEL)
    http.put("/v1/models/nope/versions")
    lines = [
        line for line in http.get("/metrics").text.splitlines() if line.startswith("pictor_requests_total")
    ]
    assert {"ok", "client_error"} == {
        line.partition('outcome="')[2].partition('"')[0]
        for line in lines
        if 'dialect="tensorflow_serving"' in line
    }
