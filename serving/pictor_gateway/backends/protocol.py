"""What the gateway asks of a backend. A fake of ten lines can stand in for it."""

from asyncio import Event
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_gateway.request.deadline import Deadline

VersionState = Literal["loading", "available", "unloading", "ended", "refused"]
"""TensorFlow Serving's states, and "refused": loaded or not, it is not believed; `reason` says why."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A batch's float32 scores [N, labels], how long it waited for the model, and how long the model took."""

    scores: NDArray[Any]
    queued_s: float
    ran_s: float


class ServedVersion(Protocol):
    """One version that answers. Whoever holds it may go on asking it after a newer one took its place.

    The same version is the same object for as long as it is served, so that `is` tells a change.
    """

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

    @property
    def backend(self) -> str:
        """Who answers: "tensorflow_serving" or "embedded"."""

    @property
    def parallel_calls(self) -> int:
        """How many calls of `predict` should be under way at once; changes as servers come and go."""

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Answer `pictures` [N, H, W, C], N at most the contract's largest batch.

        `traceparent`: the W3C trace context to hand on, if any. Cancelling the call gives up the work.

        Raises:
            DeadlineExceeded: time ran out.
            InferenceFailed: this batch was refused or broke the model; its members may be tried apart.
            Overloaded: the model's queue is full.
            BackendUnavailable: nobody is there to ask.
            VersionGone: this version is not served any more.
        """


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version as operators see it. `served` is there while it answers.

    `reason` says why it was refused, or failed to load; beside `served`, that this holds on some servers.
    """

    version: int
    state: VersionState
    reason: str = ""
    served: ServedVersion | None = None


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model's versions, newest first.

    `labels`: names of versions, such as "stable". `preferred`: the version meant by a request that names
    none, whether it can answer or not; the newest that answers if None. `troubles`: what stands in the way,
    a sentence each, for operators: it may name servers' addresses.
    """

    name: str
    versions: tuple[VersionStatus, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    preferred: int | None = None
    troubles: tuple[str, ...] = ()

    @property
    def available(self) -> tuple[ServedVersion, ...]:
        """The versions that answer, newest first."""
        return tuple(one.served for one in self.versions if one.served is not None)

    @property
    def meant(self) -> int:
        """The version meant by a request that names none, of a model that has one that answers."""
        return self.available[0].version if self.preferred is None else self.preferred


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

    async def refresh(self, model: str) -> None:
        """Look again now instead of at the next poll: a call has just found out that something changed."""

    async def learn_label(self, model: str, label: str) -> None:
        """Find out whether a version has `label`, which `models()` does not know; nothing if none has."""
