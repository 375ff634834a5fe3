"""The metrics of the servers behind the gateway, fetched when the gateway's own are asked for."""

from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.backends.fallback import FallbackBackend
from pictor_gateway.backends.server_metrics import HasServers

MakeGateway = Callable[..., Any]

PAGE = b"""# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="colours",status="OK"} 7
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's own name
        """Print nothing."""


class _OnServers(EmbeddedBackend):
    """Has servers, in name."""

    servers: Sequence[str] = ("127.0.0.1:8500",)


@pytest.fixture
def page() -> Iterator[int]:
    """Serve a page as TensorFlow Serving does, and return its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def test_they_are_shown_beside_ours(make_gateway: MakeGateway, store: Path, page: int) -> None:
    """Under legal names, for each server the backend knows."""
    backend = _OnServers(store, 1, 1, 0.1)
    http = make_gateway(backend, tfs_metrics_port=page, model="colours").http
    text = http.get("/metrics").text
    assert 'tfserving_requests_total{model="colours",server="127.0.0.1:8500",status="OK"} 7.0' in text
    assert "pictor_model_info" in text


def test_nothing_is_fetched_unless_asked_for(make_gateway: MakeGateway, store: Path) -> None:
    """Nor where there is no server."""
    backend = _OnServers(store, 1, 1, 0.1)
    assert "tfserving" not in make_gateway(backend).http.get("/metrics").text
    assert "tfserving" not in make_gateway(tfs_metrics_port=1).http.get("/metrics").text


def test_the_servers_are_those_of_the_backend_that_is_asked_first(store: Path) -> None:
    """Also with another one to fall back to."""
    embedded = EmbeddedBackend(store, 1, 1, 0.1)
    both = FallbackBackend(_OnServers(store, 1, 1, 0.1), embedded)
    assert isinstance(both, HasServers)
    assert ["127.0.0.1:8500"] == list(both.servers)
    assert [] == list(FallbackBackend(embedded, embedded).servers)
