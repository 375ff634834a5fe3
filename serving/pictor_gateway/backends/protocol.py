"""What the gateway asks of a backend. A fake of ten lines can stand in for it."""

from asyncio import Event
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_gateway.deadline import Deadline

VersionState = Literal["loading", "available", "refused"]


@dataclass(frozen=True, slots=True)
class Inference:
    """A batch's float32 scores [N, labels], how long it waited for the model, and how long the model took."""

    scores: NDArray[Any]
    queued_s: float
    ran_s: float


class ServedVersion(Protocol):
    """One version that answers. Whoever holds it may go on asking it after a newer one took its place."""

    @property
    def name(self) -> str:
        """The model's name: safe in a URL and as a metric label."""

    @property
    def version(self) -> int:
        """The version's number."""

    @property
    def contract(self) -> ImageContract:
        """What the pictures must look like, and what the scores mean."""

    @property
    def digest(self) -> str:
        """The contract's digest."""

    async def predict(self, pictures: NDArray[np.uint8], deadline: Deadline) -> Inference:
        """Answer `pictures` [N, H, W, C], N at most the contract's largest batch.

        Raises:
            DeadlineExceeded: time ran out before the model began.
            InferenceFailed: the model broke.
        """


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version as operators see it. `served` is there while it answers, `reason` when it was refused."""

    version: int
    state: VersionState
    reason: str = ""
    served: ServedVersion | None = None


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model's versions, newest first."""

    name: str
    versions: tuple[VersionStatus, ...]

    @property
    def available(self) -> tuple[ServedVersion, ...]:
        """The versions that answer, newest first."""
        return tuple(one.served for one in self.versions if one.served is not None)


class Backend(Protocol):
    """Where models live. Called from the event loop only; nothing here may block it."""

    @property
    def source(self) -> str:
        """Where the models come from, for messages: "the store models/"."""

    @property
    def started(self) -> Event:
        """Set once every model was tried for the first time, whatever came of it."""

    async def start(self) -> None:
        """Begin to load and to watch; return at once."""

    async def close(self) -> None:
        """Stop watching and give back threads and connections. No request is at work any more."""

    def models(self) -> Sequence[ModelStatus]:
        """Every model known now, sorted by name."""
