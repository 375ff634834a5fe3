"""The servers' own metrics: under legal names, in base units, of the servers that answer."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pictor_gateway.backends.tensorflow_serving.exported_metrics import PATH, ServedMetrics
from pictor_gateway.backends.tensorflow_serving.metrics_page import FAMILIES, read_page
from pictor_tfs.messages import PREDICT, contract_request

PAGE = """\
# TYPE :tensorflow:cc:saved_model:load_attempt_count counter
:tensorflow:cc:saved_model:load_attempt_count{model_path="/models/cnn/1",status="success"} 1
# TYPE :tensorflow:cc:saved_model:load_latency counter
:tensorflow:cc:saved_model:load_latency{model_path="/models/cnn/1"} 708801
# TYPE :tensorflow:core:graph_run_time_usecs counter
:tensorflow:core:graph_run_time_usecs{} 168661266983
# TYPE :tensorflow:core:graph_runs counter
:tensorflow:core:graph_runs{} 21558640
# TYPE :tensorflow:core:some_histogram_of_tensorflow histogram
:tensorflow:core:some_histogram_of_tensorflow_bucket{le="+Inf"} 1
# TYPE :tensorflow:serving:batching_session:queuing_latency histogram
:tensorflow:serving:batching_session:queuing_latency_bucket{thread_pool_name="shared",le="100"} 3
:tensorflow:serving:batching_session:queuing_latency_bucket{thread_pool_name="shared",le="+Inf"} 4
:tensorflow:serving:batching_session:queuing_latency_sum{thread_pool_name="shared"} 2500
:tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name="shared"} 4
# TYPE :tensorflow:serving:batching_session:processed_batch_size histogram
:tensorflow:serving:batching_session:processed_batch_size_bucket{le="1"} 1
:tensorflow:serving:batching_session:processed_batch_size_bucket{le="2"} 3
:tensorflow:serving:batching_session:processed_batch_size_bucket{le="+Inf"} 3
:tensorflow:serving:batching_session:processed_batch_size_sum{} 5
:tensorflow:serving:batching_session:processed_batch_size_count{} 3
# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="cnn",status="OK"} 7
:tensorflow:serving:request_count{model_name="nobody's",status="NOT_FOUND"} 9
# TYPE :tensorflow:serving:request_latency histogram
:tensorflow:serving:request_latency_bucket{model_name="cnn",API="Predict",entrypoint="GRPC",le="10"} 0
:tensorflow:serving:request_latency_bucket{model_name="cnn",API="Predict",entrypoint="GRPC",le="18"} 2
:tensorflow:serving:request_latency_bucket{model_name="cnn",API="Predict",entrypoint="GRPC",le="+Inf"} 7
:tensorflow:serving:request_latency_sum{model_name="cnn",API="Predict",entrypoint="GRPC"} 9500
:tensorflow:serving:request_latency_count{model_name="cnn",API="Predict",entrypoint="GRPC"} 7
"""


class Page:
    """A server of one page on loopback."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        page = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page.asked.append(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.thread = Thread(target=self.server.serve_forever, args=[0.01])
        self.thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(name="page")
def _page() -> Iterator[Callable[..., Page]]:
    """Start servers of one page."""
    with ExitStack() as running:

        def start(body: bytes, status: int = 200) -> Page:
            page = Page(body, status)
            running.callback(page.close)
            return page

        yield start


def exported(
    port: int, *servers: str, models: tuple[str, ...] = ("cnn",), times: int = 1
) -> dict[Any, float]:
    """Refresh from `servers` and return what our page has then, by name and labels."""
    registry = CollectorRegistry()

    async def refresh() -> None:
        served = ServedMetrics(port, models)
        registry.register(served)
        for _ in range(times):
            await served.refresh(servers)
        await served.close()

    asyncio.run(refresh())
    assert generate_latest(registry)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_openmetrics(registry).decode())
        for sample in family.samples
    }


def test_metrics_have_legal_names_base_units_and_their_server(page: Callable[..., Page]) -> None:
    """Microseconds become seconds, in bounds as well as sums; counts stay counts."""
    source = page(PAGE.encode())
    server = f"127.0.0.1:{source.port - 1}"
    found = exported(source.port, server)
    of = ("server", server)
    request = [("api", "Predict"), ("entrypoint", "GRPC"), ("model", "cnn"), of]

    assert [PATH] == source.asked
    assert {
        ("tfserving_scrape_up", of): 1,
        ("tfserving_scrape_dropped_samples", of): 0,
        ("tfserving_requests_total", ("model", "cnn"), of, ("status", "OK")): 7,
        ("tfserving_request_duration_seconds_bucket", *sorted([*request, ("le", "1e-05")])): 0,
        ("tfserving_request_duration_seconds_bucket", *sorted([*request, ("le", "1.8e-05")])): 2,
        ("tfserving_request_duration_seconds_bucket", *sorted([*request, ("le", "+Inf")])): 7,
        ("tfserving_request_duration_seconds_sum", *request): 0.0095,
        ("tfserving_request_duration_seconds_count", *request): 7,
        ("tfserving_batch_queue_duration_seconds_bucket", ("le", "0.0001"), ("pool", "shared"), of): 3,
        ("tfserving_batch_queue_duration_seconds_bucket", ("le", "+Inf"), ("pool", "shared"), of): 4,
        ("tfserving_batch_queue_duration_seconds_sum", ("pool", "shared"), of): 0.0025,
        ("tfserving_batch_queue_duration_seconds_count", ("pool", "shared"), of): 4,
        ("tfserving_batch_processed_size_bucket", ("le", "1.0"), of): 1,
        ("tfserving_batch_processed_size_bucket", ("le", "2.0"), of): 3,
        ("tfserving_batch_processed_size_bucket", ("le", "+Inf"), of): 3,
        ("tfserving_batch_processed_size_sum", of): 5,
        ("tfserving_batch_processed_size_count", of): 3,
        ("tfserving_graph_runs_total", of): 21558640,
        ("tfserving_graph_run_seconds_total", of): 168661.266983,
        ("tfserving_model_loads_total", ("model_path", "/models/cnn/1"), of, ("status", "success")): 1,
        ("tfserving_model_load_seconds_total", ("model_path", "/models/cnn/1"), of): 0.708801,
    } == found


def test_a_server_that_does_not_answer_is_down_and_the_others_are_there(page: Callable[..., Page]) -> None:
    """Each server is asked on the same port; one of them has nobody there."""
    source = page(PAGE.encode())
    found = exported(source.port, "127.0.0.1:8500", "127.0.0.99:8500", "unix:/tfs.sock")

    assert (1, 0) == tuple(
        found["tfserving_scrape_up", ("server", server)] for server in ("127.0.0.1:8500", "127.0.0.99:8500")
    )
    assert {"127.0.0.1:8500"} == {dict(key[1:])["server"] for key in found if "scrape_up" not in key[0]}


@pytest.mark.parametrize(
    ("body", "status"),
    [(PAGE.encode(), 404), (b'{"error": "Malformed request"}', 400), (b" " * 5_000_000, 200)],
    ids=["no such page", "refused", "too large"],
)
def test_what_is_no_page_counts_as_down(body: bytes, status: int, page: Callable[..., Page]) -> None:
    """Without --monitoring_config_file the server answers 404."""
    found = exported(page(body, status).port, "127.0.0.1:8500")

    assert {("tfserving_scrape_up", ("server", "127.0.0.1:8500")): 0} == found


def test_scrapes_that_follow_close_upon_each_other_ask_once(page: Callable[..., Page]) -> None:
    """Whoever asks us often does not ask the servers as often."""
    source = page(PAGE.encode())
    exported(source.port, "127.0.0.1:8500", times=3)

    assert 1 == len(source.asked)


def test_the_stand_ins_page_is_read(tfs: Callable[..., Any]) -> None:
    """With the series that a request has made."""
    server = tfs()
    with grpc.insecure_channel(server.address) as channel:
        channel.unary_unary(PREDICT)(contract_request("colours"), timeout=30)
    found = exported(server.metrics(), server.address, models=("colours",))

    of = ("server", server.address)
    assert 1 == found["tfserving_requests_total", ("model", "colours"), of, ("status", "OK")]
    assert (
        0.001
        == found[
            "tfserving_request_duration_seconds_sum",
            ("api", "Predict"),
            ("entrypoint", "GRPC"),
            ("model", "colours"),
            of,
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        ':tensorflow:serving:request_count{model_name="cnn",status="a"b"} 1',
        ':tensorflow:serving:request_count{model_name="cnn} 1',
        ':tensorflow:serving:request_count{model_name="cnn"} many',
        ':tensorflow:serving:request_count{model_name="cnn"} NaN',
        ':tensorflow:serving:request_count{model_name="c\\"nn"} 1',
        ":tensorflow:serving:request_count",
        "\x00\xff",
    ],
)
def test_a_line_that_cannot_be_read_is_passed_over(line: str) -> None:
    """A model's name comes from a request: whoever sent it must not end everybody's metrics."""
    page = read_page(f"{line}\n{PAGE}", ("cnn",))

    assert read_page(PAGE, ("cnn",)) == page


def test_a_page_of_too_many_series_is_cut_between_series() -> None:
    """What is left out is counted; a histogram is there as a whole or not at all."""
    statuses = "".join(
        f':tensorflow:serving:request_count{{model_name="cnn",status="{number}"}} 1\n' for number in range(50)
    )
    page = read_page(PAGE + statuses, ("cnn",), max_samples=20)
    whole = read_page(PAGE + statuses, ("cnn",))

    assert 0 == whole.dropped
    assert len(whole.samples) == len(page.samples) + page.dropped
    assert 20 <= len(page.samples) < 25
    assert all(sample in whole.samples for sample in page.samples)


def test_every_name_is_legal_and_used_once() -> None:
    """And says its unit by its end."""
    names = [family.name for family in FAMILIES.values()]

    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name.startswith("tfserving_") for name in names)
    assert all(("_seconds" in family.name) == (family.unit != 1) for family in FAMILIES.values())
