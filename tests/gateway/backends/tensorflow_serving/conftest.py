"""The gateway over HTTP on stand-ins for TensorFlow Serving: told their addresses and a model's name."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from pictor_gateway import Settings
from pictor_gateway.backends.assembly import backend_from
from pictor_gateway.telemetry.metrics import Metrics

MakeGateway = Callable[..., Any]
Load = Callable[..., AbstractContextManager[list[httpx.Response]]]


@pytest.fixture
def make_tfs_gateway(make_gateway: MakeGateway) -> MakeGateway:
    """Start gateways on stand-ins; settings by keyword. `registry` holds what `backend` counts."""

    def start(*servers: Any, **settings: Any) -> Any:
        wanted = {
            "tfs": ",".join(server.address for server in servers),
            "model": "colours",
            "models": None,
            "poll_interval_s": 0.05,
            **settings,
        }
        registry = CollectorRegistry()
        backend = backend_from(Settings.load(wanted, {}), Metrics(registry), registry)
        gateway = make_gateway(backend, **wanted)
        gateway.registry, gateway.backend = registry, backend
        return gateway

    return start


@pytest.fixture
def under_load(picture: Callable[..., bytes]) -> Load:
    """Send pictures from several clients while the block runs; the answers are complete at its end."""

    @contextmanager
    def load(gateway: Any, clients: int = 4, path: str = "/v1/classify") -> Iterator[list[httpx.Response]]:
        answers: list[httpx.Response] = []
        over = Event()
        body = picture()

        def send() -> None:
            with httpx.Client(base_url=gateway.http.base_url, timeout=30, trust_env=False) as http:
                while not over.is_set():
                    answers.append(http.post(path, content=body, headers={"Content-Type": "image/png"}))

        with ThreadPoolExecutor(clients) as threads:
            sending = [threads.submit(send) for _ in range(clients)]
            try:
                yield answers
            finally:
                over.set()
            for one in sending:
                one.result()

    return load


@pytest.fixture
def classify(picture: Callable[..., bytes]) -> Callable[..., httpx.Response]:
    """Send one picture: `classify(gateway, label="stable")`; the answer as it came."""

    def send(gateway: Any, **query: Any) -> httpx.Response:
        headers = {"Content-Type": "image/png", **query.pop("headers", {})}
        answer: httpx.Response = gateway.http.post(
            "/v1/classify", content=picture(), params=query, headers=headers
        )
        return answer

    return send
