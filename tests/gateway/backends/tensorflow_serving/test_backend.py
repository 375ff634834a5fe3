"""TensorFlow Serving behind the gateway: what it learns by itself, and how it translates refusals."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from colours import COLOURS, colour_scores, make_contract
from pictor_contract import decode
from tfs.faults import QUEUE_FULL, QUEUE_TIMEOUT

Make = Callable[..., Any]
Classify = Callable[..., httpx.Response]


def test_everything_is_learnt_from_the_address_and_the_models_name(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, picture: Callable[..., bytes]
) -> None:
    """Labels, size, calibration and version come from the server; the scores are the model's."""
    answer = classify(make_tfs_gateway(tfs())).json()
    contract = make_contract("colours", 10.0)
    expected = colour_scores(decode(picture(), contract)[np.newaxis], 10.0)[0]
    scores = {one["label"]: one["score"] for one in answer["predictions"]}
    assert answer["model"] == {"name": "colours", "version": 1, "digest": contract.digest()}
    assert answer["backend"] == "tensorflow_serving"
    assert scores == pytest.approx(dict(zip(COLOURS, expected, strict=True)), abs=1e-6)


def test_a_name_without_an_address_is_waited_for_and_told(
    tfs: Make, make_tfs_gateway: Make, monkeypatch: pytest.MonkeyPatch, eventually: Make
) -> None:
    """A headless Service's name exists once a pod is ready: until then alive, started, not ready, and why."""
    server, known, resolve = tfs(), set[str](), socket.getaddrinfo

    def ask(host: str, *how: Any, **more: Any) -> Any:
        if host == "tfs-headless" and host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1" if host == "tfs-headless" else host, *how, **more)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    http = make_tfs_gateway(tfs=f"dns:///tfs-headless:{server.port}").http
    assert [200, 200, 503] == [http.get(path).status_code for path in ("/livez", "/startupz", "/readyz")]
    reasons = ["DNS gives no address for tfs-headless (Name or service not known)."]
    assert reasons == http.get("/readyz").json()["reasons"]
    known.add("tfs-headless")
    eventually(lambda: http.get("/readyz").json()["reasons"] == [])


def test_a_real_exported_model_is_served(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, saved_model_store: Any
) -> None:
    """The contract signature of a real SavedModel, and its golden example, hold."""
    server = tfs(versions=())
    server.load_folder(saved_model_store / "pets" / "1", "pets", 1)
    answer = classify(make_tfs_gateway(server, model="pets")).json()
    assert answer["model"]["name"] == "pets"
    assert {one["label"] for one in answer["predictions"]} == {"cat", "dog", "owl"}


def test_several_models_are_served_side_by_side(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """Each by its name; a request that names none is told so."""
    server = tfs()
    server.load_colours(3, "paints")
    gateway = make_tfs_gateway(server, model="paints, colours")
    assert classify(gateway, model="paints").json()["model"]["version"] == 3
    assert classify(gateway, model="colours").json()["model"]["version"] == 1
    assert classify(gateway).json()["code"] == "model_required"


def test_the_deadline_is_passed_on(tfs: Make, make_tfs_gateway: Make, classify: Classify) -> None:
    """The server is told how much time is left, so that it does not work for nobody."""
    server = tfs()
    gateway = make_tfs_gateway(server, request_timeout_s=7)
    assert classify(gateway).status_code == 200
    left = server.asked(signature="serving_default")[-1].time_remaining_s
    assert left is not None
    assert 0 < left <= 7.0


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        ("UNAVAILABLE", QUEUE_FULL, (503, "overloaded")),
        ("RESOURCE_EXHAUSTED", "", (503, "overloaded")),
        ("RESOURCE_EXHAUSTED", QUEUE_TIMEOUT, (504, "deadline_exceeded")),
        ("DEADLINE_EXCEEDED", "Timed out waiting for notification", (504, "deadline_exceeded")),
        ("INVALID_ARGUMENT", "secret/node_7", (502, "inference_failed")),
        ("FAILED_PRECONDITION", "secret/node_7", (502, "inference_failed")),
        ("ABORTED", "secret/node_7", (502, "inference_failed")),
        ("INTERNAL", "secret/node_7", (502, "inference_failed")),
    ],
)
def test_the_servers_refusals_are_translated(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, code: str, text: str, told: tuple[int, str]
) -> None:
    """Each code has its meaning for the caller, who never reads TensorFlow Serving's own words."""
    server = tfs()
    gateway = make_tfs_gateway(server, poll_interval_s=30)
    server.faults.fail(code, text, method="Predict")
    answer = classify(gateway)
    assert told == (answer.status_code, answer.json()["code"])
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    assert "secret" not in answer.text


@pytest.mark.parametrize("how", ["nan", "other_shape", "other_dtype", "no_scores", "garbage"])
def test_an_answer_that_is_no_score_is_a_failure(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, how: str
) -> None:
    """Nonsense never becomes an answer."""
    server = tfs()
    gateway = make_tfs_gateway(server, poll_interval_s=30)
    server.faults.spoil(how)
    answer = classify(gateway)
    assert (502, "inference_failed") == (answer.status_code, answer.json()["code"])


def test_readiness_says_that_the_model_is_not_there(
    tfs: Make, make_tfs_gateway: Make, classify: Classify
) -> None:
    """The server answers, but it has never heard of the model."""
    server = tfs()
    gateway = make_tfs_gateway(server, model="colors")
    ready = gateway.http.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == [f"TensorFlow Serving at {server.address} has no model 'colors'."]
    assert classify(gateway).json()["code"] == "model_not_ready"
    assert gateway.http.get("/v1/models").json()["models"][0]["versions"] == []


def test_readiness_says_that_the_server_cannot_be_reached(
    tfs: Make, make_tfs_gateway: Make, eventually: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The address and gRPC's code are told, its words are logged; it is ready again with the server."""
    server = tfs()
    server.stop()
    gateway = make_tfs_gateway(server)
    ready = gateway.http.get("/readyz")
    assert ready.status_code == 503
    (reason,) = ready.json()["reasons"]
    assert reason == f"TensorFlow Serving at {server.address} does not answer (UNAVAILABLE)."
    (logged,) = [record for record in caplog.records if record.message == reason]
    assert logged.__dict__["fields"]["details"]
    server.start()
    eventually(lambda: gateway.http.get("/readyz").status_code == 200)


def test_readiness_says_that_a_version_is_being_loaded(tfs: Make, make_tfs_gateway: Make) -> None:
    """Nothing is wrong; it takes its time."""
    server = tfs(versions=())
    server.report(4, "LOADING")
    ready = make_tfs_gateway(server).http.get("/readyz")
    assert (503, ["colours/4 is being loaded."]) == (ready.status_code, ready.json()["reasons"])


def test_a_version_that_failed_to_load_is_reported_with_text_that_is_none(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, caplog: pytest.LogCaptureFixture
) -> None:
    """A status message of bytes that are no UTF-8 hides neither the version it is about nor the others."""
    server = tfs()
    server.report(2, "END", code=3, message=b"Failed to parse warmup record: \xff\xfe")
    gateway = make_tfs_gateway(server)
    assert classify(gateway).json()["model"]["version"] == 1
    two, one = gateway.http.get("/v1/models").json()["models"][0]["versions"]
    assert (two["state"], one["state"]) == ("ended", "available")
    assert two["reason"] == "On 1 of 1 servers: TensorFlow Serving could not load it (INVALID_ARGUMENT)."
    assert gateway.http.get("/readyz").status_code == 200
    (logged,) = [record for record in caplog.records if record.message == "version not loaded"]
    assert logged.__dict__["fields"]["details"].startswith("Failed to parse warmup record")


def test_a_status_that_cannot_be_read_is_no_death(
    tfs: Make, make_tfs_gateway: Make, classify: Classify, eventually: Make
) -> None:
    """A gateway that starts then asks for the newest contract; one that runs keeps what it knows."""
    server = tfs(versions=(1, 2))
    running = make_tfs_gateway(server)
    server.faults.spoil("garbage_status")
    asked = len(server.asked("GetModelStatus"))
    eventually(lambda: len(server.asked("GetModelStatus")) > asked + 2)
    assert classify(running, version=1).status_code == 200
    assert classify(make_tfs_gateway(server)).json()["model"]["version"] == 2


def test_the_servers_are_seen_in_the_metrics(tfs: Make, make_tfs_gateway: Make, classify: Classify) -> None:
    """Calls are counted by gRPC's code, servers by their address."""
    server = tfs()
    gateway = make_tfs_gateway(server)
    classify(gateway)
    value = gateway.registry.get_sample_value
    assert value("pictor_server_up", {"server": server.address}) == 1
    assert value("pictor_backend_calls_total", {"code": "OK"}) == 1


def test_the_process_holds_neither_tensorflow_nor_onnx_runtime(
    tfs: Make, serve: Make, picture: Callable[..., bytes]
) -> None:
    """`pictor serve --tfs` announces what it learnt, answers, and stays small."""
    server = tfs()
    process = serve("--tfs", server.address, "--model", "colours", "--fallback", "false")
    line = process.announcement()
    address = line.partition("listening on ")[2].partition(",")[0]
    assert "models colours/1" in line
    for _ in range(50):
        assert httpx.post(f"{address}/v1/classify", content=picture(), trust_env=False).status_code == 200
    system = psutil.Process(process.process.pid)
    mapped = {one.path for one in system.memory_maps()}
    assert any("grpc" in path for path in mapped)
    assert not [path for path in mapped if "tensorflow" in path or "onnxruntime" in path]
    assert system.memory_info().rss <= 120 * 1024 * 1024
