"""Probes, metrics, logs and documentation: what operators and developers look at."""

import json
import logging
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import parser

from pictor_gateway import errors
from pictor_gateway.errors import GatewayError
from pictor_gateway.gateway import gateway_in
from pictor_gateway.routes import ROUTES
from pictor_gateway.telemetry.logs import JsonLines

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]


def test_a_gateway_with_a_model_is_live_started_and_ready(http: httpx.Client) -> None:
    """All probes say yes."""
    assert [200] * 4 == [
        http.get(path).status_code for path in ("/livez", "/healthz", "/startupz", "/readyz")
    ]


def test_what_answers_get_answers_head(http: httpx.Client) -> None:
    """Some load balancers, and `curl -I`, ask without wanting a body."""
    answers = [http.head(path) for path in ("/livez", "/readyz", "/metrics", "/v1/models")]
    assert [(200, b"")] * 4 == [(answer.status_code, answer.content) for answer in answers]


@pytest.mark.parametrize("version", ["", "1.0.0", "none", "1.x"])
def test_the_metrics_come_whatever_form_is_asked_for(http: httpx.Client, version: str) -> None:
    """Also if the Accept header makes no sense."""
    accept = {"Accept": f"application/openmetrics-text; version={version}, */*"}
    assert "pictor_model_info" in http.get("/metrics", headers=accept).raise_for_status().text


def test_without_a_model_it_is_live_and_started_but_not_ready(
    make_gateway: MakeGateway, tmp_path: Path, picture: MakePicture
) -> None:
    """It waits for one, says where, and tells clients to come again."""
    http = make_gateway(models=tmp_path / "nothing").http
    assert [200, 200, 503] == [http.get(path).status_code for path in ("/livez", "/startupz", "/readyz")]
    assert str(tmp_path / "nothing") in http.get("/readyz").json()["reasons"][0]
    refused = http.post("/v1/classify", content=picture())
    assert (503, "model_not_ready") == (refused.status_code, refused.json()["code"])
    assert "2" == refused.headers["Retry-After"]


def test_with_only_broken_versions_it_is_not_ready_and_says_why(
    make_gateway: MakeGateway, store: Path, picture: MakePicture
) -> None:
    """The reason is the refusal's own."""
    (store / "colours" / "1" / "extra").write_bytes(b"x")
    http = make_gateway().http
    response = http.get("/readyz")
    assert 503 == response.status_code
    assert "does not name: extra" in response.json()["reasons"][0]
    assert "model_not_ready" == http.post("/v1/classify", content=picture()).json()["code"]


def test_one_broken_model_does_not_take_the_others_out_of_service(
    make_gateway: MakeGateway, publish: Callable[..., Path]
) -> None:
    """Unless it is the default model: then nothing would answer the plain request."""
    (publish("broken", 1) / "extra").write_bytes(b"x")
    assert 200 == make_gateway().http.get("/readyz").status_code
    assert 503 == make_gateway(default_model="broken").http.get("/readyz").status_code
    assert 503 == make_gateway(default_model="absent").http.get("/readyz").status_code


def test_a_draining_gateway_is_not_ready_but_answers(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Balancers turn away while requests under way are served; each answer closes its connection."""
    gateway = make_gateway()
    gateway_in(gateway.app).lifecycle.draining = True
    assert 503 == gateway.http.get("/readyz").status_code
    assert 200 == gateway.http.get("/livez").status_code
    answer = gateway.http.post("/v1/classify", content=picture())
    assert (200, "close") == (answer.status_code, answer.headers["Connection"])


def _number(http: httpx.Client, name: str, **labels: str) -> float | None:
    families = parser.text_string_to_metric_families(http.get("/metrics").text)
    found = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found[0] if found else None


def test_the_numbers_tell_what_happened(make_gateway: MakeGateway, picture: MakePicture) -> None:
    """Requests, pictures, batches, predictions and models are counted under short fixed labels."""
    http = make_gateway().http
    http.post("/v1/classify", files=[("files", picture()), ("files", b"?"), ("files", picture())])
    http.post("/v1/classify?model=made-up-name", content=picture())
    http.get("/no/such/address")
    answered = {"dialect": "pictor", "model": "colours", "version": "1", "outcome": "ok"}
    assert 1 == _number(http, "pictor_requests_total", **answered)
    unknown = {"model": "other", "version": "other", "outcome": "client_error"}
    assert 1 == _number(http, "pictor_requests_total", dialect="pictor", **unknown)
    assert 1 == _number(http, "pictor_requests_total", dialect="other", **unknown)
    assert 2 == _number(http, "pictor_pictures_total", format="PNG", result="decoded")
    assert 1 == _number(http, "pictor_pictures_total", format="unknown", result="picture_format_unknown")
    assert 2 == _number(http, "pictor_batch_size_sum")
    assert 2 == _number(http, "pictor_predictions_total", model="colours", version="1", label="röd")
    assert 1 == _number(http, "pictor_model_version_state", model="colours", version="1", state="available")
    assert "made-up-name" not in http.get("/metrics").text
    assert "/no/such/address" not in http.get("/metrics").text


def test_each_request_has_one_log_line_without_pixels(
    make_gateway: MakeGateway, picture: MakePicture, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asked what, what came of it and how long it took; probes are quiet."""
    gateway = make_gateway()
    with caplog.at_level(logging.INFO, "pictor.access"):
        gateway.http.post("/v1/classify?top_k=2", content=picture(), headers={"X-Request-ID": "mine"})
        gateway.http.get("/livez")
        gateway.wait_for(_nothing())  # the line is written after the answer has left
    (record,) = [record for record in caplog.records if record.name == "pictor.access"]
    line = json.loads(JsonLines().format(record))
    assert ("mine", "/v1/classify", 200, "ok") == tuple(
        line[key] for key in ("request_id", "route", "status", "outcome")
    )
    assert ("colours", "1") == (line["model"], line["version"])
    assert [{"format": "PNG", "width": 20, "height": 10}] == line["pictures"]
    assert {"read", "decode", "queue", "inference", "total"} == set(line["timings_ms"])
    assert "top_k" not in json.dumps(line)


async def _nothing() -> None:
    """Run on the loop behind whatever it has to do first."""


def test_a_traceback_is_one_line() -> None:
    """A log collector reads line by line."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    error = ValueError("née\nsecond line")
    facts = (ValueError, error, error.__traceback__)
    handler.handle(logging.getLogger("any").makeRecord("any", logging.ERROR, "", 0, "bad", (), facts))
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: née" in json.loads(line)["traceback"]


def test_the_documentation_needs_no_other_server(http: httpx.Client) -> None:
    """The page's scripts and styles come from the gateway itself, so it works in a closed network."""
    page = http.get("/docs").text
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert links
    assert not [link for link in links if "//" in link]
    assert "http://" not in page
    assert "https://" not in page
    assert [200] * len(links) == [http.get(link).status_code for link in links]


def test_every_address_is_documented_with_examples(http: httpx.Client) -> None:
    """Requests, answers and each error the gateway can give on Pictor's own addresses are shown."""
    described = http.get("/openapi.json").json()
    listed = {route.path for route in ROUTES if route.describe().get("include_in_schema", True)}
    assert listed == set(described["paths"])
    classify = described["paths"]["/v1/classify"]["post"]
    bodies = classify["requestBody"]["content"]
    assert {"multipart/form-data", "image/*", "application/octet-stream", "application/json"} == set(bodies)
    assert {"one", "several"} == set(classify["responses"]["200"]["content"]["application/json"]["examples"])
    shown = {
        code
        for path in ("/v1/classify", "/v1/feedback")
        for answer in described["paths"][path]["post"]["responses"].values()
        for code in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    every = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, GatewayError)
    }
    assert (
        every - {"client_gone", "tensor_invalid"} <= shown
    )  # nobody is left to read it; no pixels come here
    assert {"picture_empty", "picture_too_large", "picture_broken"} <= shown


def test_the_documented_json_examples_work(http: httpx.Client) -> None:
    """Pasted as they are, they are answered."""
    described = http.get("/openapi.json").json()["paths"]["/v1/classify"]["post"]
    examples = described["requestBody"]["content"]["application/json"]["examples"]
    answers = [http.post("/v1/classify", json=example["value"]) for example in examples.values()]
    assert [200, 200] == [answer.status_code for answer in answers]
    assert all("error" not in answer.text for answer in answers)


def test_the_models_are_listed_with_what_a_client_needs(
    make_gateway: MakeGateway, publish: Callable[..., Path], store: Path
) -> None:
    """Labels, input, digest and quality of every version, and which model is the default."""
    publish("another", 3)
    shutil.rmtree(store / "colours")
    (model,) = make_gateway().http.get("/v1/models").json()["models"]
    (version,) = model["versions"]
    assert ("another", True, 3) == (model["name"], model["default"], version["version"])
    assert ["röd", "green", "blue"] == version["labels"]
    assert {"height": 8, "width": 8, "channels": 3} == version["input"]
    assert {"accuracy": 1.0} == version["metrics"]
    assert 64 == len(version["digest"])
