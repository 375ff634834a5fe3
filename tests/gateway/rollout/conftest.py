"""A gateway on two versions of one model, whose answers a test chooses: 1 is stable, 2 is the canary."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import parser

from gateway.fakes import FakeModel
from pictor_gateway import ModelStatus, VersionStatus

Answer = Callable[[NDArray[np.uint8]], NDArray[Any]]


def yes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer every picture with the label "yes"."""
    return np.tile(np.array([0.1, 0.9], np.float32), (len(pictures), 1))


def no(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer every picture with the label "no"."""
    return 1 - yes(pictures)


def failing_with(error: Exception) -> Answer:
    """Return an answer that is this error."""

    def answer(_: NDArray[np.uint8]) -> NDArray[Any]:
        raise error

    return answer


@dataclass
class PairBackend:
    """Serves what a test says, under the labels it says; `look` makes changes seen."""

    versions: list[Any]
    labels: dict[str, int] = field(default_factory=lambda: {"stable": 1, "canary": 2})
    source: str = "a test"
    started: asyncio.Event = field(default_factory=asyncio.Event)
    refresh_to: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        """Show what there is."""
        self.look()

    def look(self) -> None:
        """Publish versions and labels as they are now."""
        found = (VersionStatus(one.version, "available", served=one) for one in reversed(self.versions))
        preferred = self.labels.get("stable")
        self._models = (ModelStatus("fake", tuple(found), dict(self.labels), preferred),)

    def relabel(self, **labels: int) -> None:
        """Let the labels mean these versions, and no other labels anything."""
        self.labels = labels
        self.look()

    async def start(self) -> None:
        """Be there."""
        self.started.set()

    async def close(self) -> None:
        """Have nothing to give back."""

    def models(self) -> Sequence[ModelStatus]:
        """Return the one model."""
        return self._models

    async def refresh(self, model: str) -> None:
        """See what a test has prepared."""
        if self.refresh_to is not None:
            self.relabel(**self.refresh_to)

    async def learn_label(self, model: str, label: str) -> None:
        """Find none."""


@dataclass
class Pair:
    """The gateway, its backend, and what a test asks of them."""

    gateway: Any
    backend: PairBackend

    def classify(self, picture: bytes, session: str = "", **query: object) -> httpx.Response:
        """Send one picture; `session` decides who meets the canary."""
        headers = {"Content-Type": "image/png", **({"X-Session-ID": session} if session else {})}
        params: Any = query
        answer: httpx.Response = self.gateway.http.post(
            "/v1/classify", content=picture, headers=headers, params=params
        )
        return answer

    def versions(self, picture: bytes, requests: int = 200) -> list[str]:
        """Return who answers as many sessions."""
        answers = [self.classify(picture, f"session-{number}") for number in range(requests)]
        assert {200} == {answer.status_code for answer in answers}
        return [answer.headers["X-Model-Version"] for answer in answers]

    @property
    def canary(self) -> dict[str, Any] | None:
        """What GET /v1/models says of the canary."""
        (model,) = self.gateway.http.get("/v1/models").json()["models"]
        found: dict[str, Any] | None = model.get("canary")
        return found

    def number(self, name: str, **labels: str) -> float:
        """Return a metric's value, 0 if it is not there."""
        families = parser.text_string_to_metric_families(self.gateway.http.get("/metrics").text)
        samples = [one for family in families for one in family.samples if one.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())


@pytest.fixture
def pair(make_gateway: Callable[..., Any]) -> Callable[..., Pair]:
    """Start a gateway on two versions, given as answers or models: `pair(canary=no, canary_share=1)`."""

    def start(
        stable: Any = yes, canary: Any = yes, labels: dict[str, int] | None = None, **settings: Any
    ) -> Pair:
        one = stable if isinstance(stable, FakeModel) else FakeModel(stable, version=1)
        two = canary if isinstance(canary, FakeModel) else FakeModel(canary, version=2)
        backend = PairBackend([one, two], {"stable": 1, "canary": 2} if labels is None else labels)
        return Pair(make_gateway(backend, **settings), backend)

    return start
