"""The embedded backend as the answer of last resort, for when no server has the model."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_gateway.backends.protocol import Backend, Inference, ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.backends.server_metrics import HasServers
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.metrics import Metrics

log = logging.getLogger("pictor.models")

_LOOK_S: Final = 1.0
"""Between two looks at what the servers prefer: requests look as well, but there may be none."""


class Folder(Backend, Protocol):
    """The embedded backend: it keeps versions loaded that it is told to."""

    def want(self, model: str, versions: Collection[int]) -> None:
        """Keep these versions loaded beside the newest ones, as long as they are in the store."""


@dataclass(slots=True, eq=False)
class StandIn:
    """An embedded version that answers in the servers' place, and counts what it answers."""

    embedded: ServedVersion
    metrics: Metrics | None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.embedded.name

    @property
    def version(self) -> int:
        """The version's number."""
        return self.embedded.version

    @property
    def contract(self) -> ImageContract:
        """The contract of the embedded version."""
        return self.embedded.contract

    @property
    def digest(self) -> str:
        """That contract's digest."""
        return self.embedded.digest

    @property
    def backend(self) -> str:
        """Who answers."""
        return self.embedded.backend

    @property
    def parallel_calls(self) -> int:
        """As many as the embedded version takes."""
        return self.embedded.parallel_calls

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Answer, and count the pictures."""
        inference = await self.embedded.predict(pictures, deadline, traceparent)
        if self.metrics is not None:
            self.metrics.fallbacks.labels(self.name).inc(len(pictures))
        return inference


class FallbackBackend:
    """Serves `primary`'s models; one that has no version to answer there is served by `embedded` meanwhile.

    Both load and watch all the time: when the servers are gone it is too late to begin. What stands in is
    what the servers had last, by number and digest: a newer version in the folder may have been rolled back
    or never released. Only where no server was heard since the start, the folder's own labels hold; without
    any its newest version answers.
    """

    def __init__(self, primary: Backend, embedded: Folder, metrics: Metrics | None = None) -> None:
        self._primary = primary
        self._embedded = embedded
        self._started = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._metrics = metrics
        self._stand_ins: dict[tuple[str, int], StandIn] = {}
        self._noted: dict[str, str] = {}
        self._last_answering: dict[str, ModelStatus] = {}
        self._seen: tuple[Sequence[ModelStatus], Sequence[ModelStatus]] = ((), ())
        self._models: tuple[ModelStatus, ...] = ()

    @property
    def source(self) -> str:
        """Both, for messages."""
        return f"{self._primary.source} or {self._embedded.source}"

    @property
    def servers(self) -> Sequence[str]:
        """The primary's."""
        return self._primary.servers if isinstance(self._primary, HasServers) else ()

    @property
    def started(self) -> asyncio.Event:
        """Set once both have tried every model."""
        return self._started

    async def start(self) -> None:
        """Begin to load and to watch on both sides; return at once."""
        await self._primary.start()
        await self._embedded.start()
        self._tasks = (asyncio.create_task(self._wait_for_both()), asyncio.create_task(self._follow()))

    async def close(self) -> None:
        """Stop both."""
        for task in self._tasks:
            task.cancel()
        await self._primary.close()
        await self._embedded.close()

    def models(self) -> Sequence[ModelStatus]:
        """Return the primary's models, each as the side that can answer now has it."""
        seen = (self._primary.models(), self._embedded.models())
        if seen[0] is not self._seen[0] or seen[1] is not self._seen[1]:  # asked by every request
            self._seen = seen
            embedded = {model.name: model for model in seen[1]}
            self._models = tuple(self._choose(model, embedded.get(model.name)) for model in seen[0])
            answering = [one for model in self._models for one in model.available]
            self._stand_ins = {(one.name, one.version): one for one in answering if isinstance(one, StandIn)}
        return self._models

    async def refresh(self, model: str) -> None:
        """Have the primary look again; the embedded version is there all the time."""
        await self._primary.refresh(model)

    async def learn_label(self, model: str, label: str) -> None:
        """Ask the primary; all labels of the folder are known."""
        await self._primary.learn_label(model, label)

    async def _wait_for_both(self) -> None:
        await self._primary.started.wait()
        await self._embedded.started.wait()
        self._started.set()

    async def _follow(self) -> None:
        while True:
            self.models()
            await asyncio.sleep(_LOOK_S)

    def _choose(self, primary: ModelStatus, embedded: ModelStatus | None) -> ModelStatus:
        chosen, note = primary, "embedded model steps back"
        if primary.available:
            self._last_answering[primary.name] = primary
            self._embedded.want(primary.name, {primary.meant, *primary.labels.values()})
        elif embedded is not None and embedded.available:
            chosen = self._standing_in(primary, embedded)
            fits = chosen.preferred in (None, *(one.version for one in chosen.available))
            note = "embedded model stands in" if fits else "embedded model is not what the servers had"
        self._note_change(chosen, note)
        return chosen

    def _standing_in(self, primary: ModelStatus, embedded: ModelStatus) -> ModelStatus:
        """Return the embedded versions that the servers had before they went, under the labels they gave."""
        last = self._last_answering.get(primary.name)
        if last is None:
            versions = tuple(self._stand_in(one) for one in embedded.versions)
            troubles = (*primary.troubles, *embedded.troubles)
            return ModelStatus(primary.name, versions, embedded.labels, embedded.preferred, troubles)
        digests = {one.version: one.digest for one in last.available}
        alike = tuple(
            self._stand_in(one)
            for one in embedded.versions
            if one.served is None or one.served.digest == digests.get(one.version)
        )
        loaded = {one.version for one in alike if one.served is not None}
        preferred, troubles = last.meant, primary.troubles
        if preferred not in loaded:
            troubles = (
                *troubles,
                f"The models folder has no {primary.name}/{preferred} as the servers had it, loaded.",
            )
        labels = {label: version for label, version in last.labels.items() if version in loaded}
        return ModelStatus(primary.name, alike, labels, preferred, troubles)

    def _stand_in(self, status: VersionStatus) -> VersionStatus:
        if status.served is None:
            return status
        key = (status.served.name, status.version)
        known = self._stand_ins.get(key)
        if known is None or known.embedded is not status.served:
            known = self._stand_ins[key] = StandIn(status.served, self._metrics)
        return replace(status, served=known)

    def _note_change(self, model: ModelStatus, note: str) -> None:
        before = self._noted.get(model.name)
        self._noted[model.name] = note
        if note != (before or "embedded model steps back"):
            log.warning(note, extra={"fields": {"model": model.name, "version": model.preferred}})
