"""ONNX Runtime in the gateway's own process, on the models of a store folder."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_gateway.backends.loading import load_version
from pictor_gateway.backends.protocol import Inference, ModelStatus
from pictor_gateway.backends.session import OnnxSession
from pictor_gateway.backends.watch import StoreWatch
from pictor_gateway.process.priority import step_back
from pictor_gateway.request.deadline import Deadline
from pictor_store.lineage import CANARY

log = logging.getLogger("pictor.models")


class InferenceThreads:
    """The threads that run models. A canary has its own: one that hangs must not take all there are.

    `models` tells which versions are canaries now.
    """

    def __init__(self, number: int, models: Callable[[], Sequence[ModelStatus]]) -> None:
        self.number = number
        self._models = models
        self._seen: Sequence[ModelStatus] = ()
        self._trials: frozenset[tuple[str, int]] = frozenset()
        self._threads = ThreadPoolExecutor(number, "pictor-inference", initializer=step_back)
        self._trial_threads = ThreadPoolExecutor(number, "pictor-trial", initializer=step_back)

    def of(self, name: str, version: int) -> Executor:
        """Return those that run this version now."""
        models = self._models()
        if models is not self._seen:  # asked by every call
            self._seen = models
            self._trials = frozenset(
                (model.name, model.labels[CANARY])
                for model in models
                if model.labels.get(CANARY, model.preferred) != model.preferred
            )
        return self._trial_threads if (name, version) in self._trials else self._threads

    def close(self) -> None:
        """Give them back; what still waits for one is dropped."""
        for threads in (self._threads, self._trial_threads):
            threads.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A version in memory; its memory is freed when the last request that holds it has ended."""

    name: str
    version: int
    contract: ImageContract
    digest: str
    session: OnnxSession
    threads: InferenceThreads
    backend: str = "embedded"

    @property
    def parallel_calls(self) -> int:
        """As many as there are threads."""
        return self.threads.number

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Answer in an inference thread, or not at all if the deadline passes before one is free."""
        asked = perf_counter()
        loop = asyncio.get_running_loop()
        threads = self.threads.of(self.name, self.version)
        began, scores = await loop.run_in_executor(threads, self._run, pictures, deadline)
        return Inference(scores, queued_s=began - asked, ran_s=perf_counter() - began)

    def _run(self, pictures: NDArray[np.uint8], deadline: Deadline) -> tuple[float, NDArray[np.float32]]:
        deadline.check("inference")
        return perf_counter(), self.session.run(pictures)


class EmbeddedBackend:
    """Serves the newest healthy and the labelled versions of the models in `store`, or of those in `only`."""

    def __init__(
        self,
        store: Path,
        keep_versions: int,
        inference_threads: int,
        poll_interval_s: float,
        only: Collection[str] = (),
    ) -> None:
        self._store = store
        self._poll_interval_s = poll_interval_s
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="pictor-load")
        self._watch = StoreWatch(store, keep_versions, self._load, only)
        self._inference = InferenceThreads(inference_threads, self.models)
        self._watching: asyncio.Task[None] | None = None
        self._started = asyncio.Event()

    @property
    def source(self) -> str:
        """The store, for messages."""
        return f"the store {self._store}"

    @property
    def started(self) -> asyncio.Event:
        """Set after the first look at the store."""
        return self._started

    def models(self) -> Sequence[ModelStatus]:
        """Every model known now."""
        return self._watch.models

    async def refresh(self, model: str) -> None:
        """Do nothing: a version that is held is never let go under its holder."""

    async def learn_label(self, model: str, label: str) -> None:
        """Do nothing: all labels of a folder are known."""

    def want(self, model: str, versions: Collection[int]) -> None:
        """Keep these versions loaded beside the newest ones, as long as they are in the store."""
        self._watch.want(model, versions)

    async def start(self) -> None:
        """Begin to load and to watch; return at once."""
        self._watching = asyncio.create_task(self._follow(), name="pictor-store-watch")

    async def close(self) -> None:
        """Stop watching and give the threads back; a load that is under way is waited for."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        give_back = partial(self._loading.shutdown, wait=True, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(None, give_back)
        self._inference.close()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._loading, self._watch.scan)
            except Exception:  # the watcher's own door: one surprise must not end the watching for good
                log.exception("looking at the store failed")
            self._started.set()
            await asyncio.sleep(self._poll_interval_s)

    def _load(self, name: str, version: int) -> LoadedVersion:
        contract, session = load_version(self._store, name, version)
        return LoadedVersion(name, version, contract, contract.digest(), session, self._inference)
