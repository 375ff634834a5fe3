"""A model and a backend that do what a test tells them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract, PictureInput
from pictor_gateway import Inference, ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.request.deadline import Deadline

Answer = Callable[[NDArray[np.uint8]], NDArray[Any]]


def numbers_of(pictures: NDArray[np.uint8]) -> list[int]:
    """Return the number that each picture of `make_pixels` carries."""
    return [int(picture[0, 0, 0]) for picture in pictures]


def make_pixels(number: int) -> NDArray[np.uint8]:
    """Return a picture that carries a number."""
    return np.full((8, 8, 3), number, np.uint8)


def scores_by_number(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer each picture with its number, so that a test sees who got whose answer."""
    return np.array([[number, 0] for number in numbers_of(pictures)], np.float32)


@dataclass
class FakeModel:
    """A model whose answer a test chooses."""

    answer: Answer = scores_by_number
    parallel_calls: int = 1
    version: int = 1
    name: str = "fake"
    digest: str = "0" * 64
    backend: str = "embedded"
    contract: ImageContract = field(
        default_factory=lambda: ImageContract(
            "fake", ("no", "yes"), "binary", PictureInput(8, 8), allowed_batch_sizes=(1, 2, 4, 8)
        )
    )

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Answer as told."""
        return Inference(self.answer(pictures), 0.0, 0.0)


@dataclass
class Call:
    """One call that a `HeldModel` received, and what ends it."""

    numbers: list[int]
    deadline: Deadline
    traceparent: str
    outcome: asyncio.Future[Exception | None]

    def end(self, error: Exception | None = None) -> None:
        """Let the call end with its answer, or with `error`."""
        self.outcome.set_result(error)


@dataclass
class HeldModel(FakeModel):
    """A model whose every call waits until a test ends it."""

    calls: list[Call] = field(default_factory=list)

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Wait, then answer or fail."""
        call = Call(numbers_of(pictures), deadline, traceparent, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        error = await call.outcome
        if error is not None:
            raise error
        return Inference(self.answer(pictures), 0.0, 0.0)


@dataclass
class FakeBackend:
    """A backend that serves what a test says; looking again changes `models` to `after_refresh`."""

    model: ServedVersion
    after_refresh: ServedVersion | None = None
    source: str = "a test"
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Be there."""
        self.started.set()

    async def close(self) -> None:
        """Have nothing to give back."""

    def models(self) -> Sequence[ModelStatus]:
        """Return the one model."""
        model = self.model
        status = VersionStatus(model.version, "available", served=model)
        return (ModelStatus(model.name, (status,)),)

    async def refresh(self, model: str) -> None:
        """Find what a test put there."""
        self.model = self.after_refresh or self.model

    async def learn_label(self, model: str, label: str) -> None:
        """Find none."""
