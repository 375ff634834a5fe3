"""Several worker processes behind one port: start them, watch them, replace them, end them together.

uvicorn has a supervisor too, but it runs uvicorn's own server, which would not drain as ours does, starts a
worker that dies again and again without a pause, and does not take its gauges out of the metrics.
"""

import asyncio
import json
import logging
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, cast

from prometheus_client.multiprocess import mark_process_dead

from pictor_gateway.capturing.assembly import secret_of
from pictor_gateway.process.cores import usable_cores
from pictor_gateway.process.listening import ANNOUNCEMENT, Listeners
from pictor_gateway.settings import Settings

log = logging.getLogger("pictor.workers")

_COMMAND = ("-P", "-m", "pictor_gateway.process.worker")
_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Must be there before prometheus_client is imported."""

_MOST_STARTS = 3
"""How often each worker is tried when none has ever come up."""

_SETTLED_S = 10.0
"""Seconds after which a worker's death is no fault of its start: its successor needs no pause."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

_SILENCE_S = 30.0
"""Seconds without a sign of life that are noted; after as many again, the worker is killed."""

_LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker must know: its place among the others, what they share, whether others answer already."""

    slot: int
    settings: dict[str, Any]
    filenos: tuple[int, ...]
    metrics_folder: str
    joins_others: bool

    def line(self) -> bytes:
        """Return the order as the worker reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: str) -> "Order":
        """Return the order of a line."""
        members = json.loads(line)
        return cls(**{**members, "filenos": tuple(members["filenos"])})


class WorkersFailed(Exception):
    """No worker process ever came up."""


def supervise(settings: Settings, listeners: Listeners, environment: Mapping[str, str]) -> None:
    """Serve by `settings.workers` processes until SIGTERM or Ctrl-C, then return.

    Raises:
        WorkersFailed: no worker process ever came up.
    """
    try:
        folder = TemporaryDirectory(prefix="pictor-metrics-")
    except OSError as error:
        raise WorkersFailed(
            f"Several workers need a folder for their metrics ({error}). Mount one on /tmp, or set TMPDIR."
        ) from error
    with folder as name:
        asyncio.run(_Workers(settings, listeners, name, environment).run())


class _Workers:
    def __init__(
        self, settings: Settings, listeners: Listeners, folder: str, environment: Mapping[str, str]
    ) -> None:
        self._count = settings.workers
        self._settings = _for_one_worker(settings)
        self._listeners = listeners
        self._filenos = listeners.filenos()
        self._folder = folder
        self._environment = {**environment, _FOLDER_VARIABLE: folder}
        self._processes: dict[int, Process] = {}
        self._up: set[int] = set()
        self._ever_up: set[int] = set()
        self._ending = asyncio.Event()
        self._announced = False
        self._failed = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        async with asyncio.TaskGroup() as group:
            for slot in range(self._count):
                group.create_task(self._keep(slot))
        if self._failed:
            raise WorkersFailed("No worker process came up; the log says why.")

    async def _keep(self, slot: int) -> None:
        """Have a worker in this place until the end."""
        pause_s, starts = 0.0, 0
        while not self._ending.is_set():
            began = monotonic()
            try:
                await self._live(slot)
            except OSError as error:  # no memory, or too many processes
                log.error("worker not started", extra={"fields": {"worker": slot, "reason": str(error)}})  # noqa: TRY400 - the reason is all there is
            starts += 1
            if starts >= _MOST_STARTS and not self._ever_up:
                self._failed = True
                self._end(signal.SIGTERM)
            pause_s = _pause_after(pause_s, monotonic() - began)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)

    async def _live(self, slot: int) -> None:
        """Start a worker, and return once it has ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            limit=_LONGEST_LINE,
            pass_fds=self._filenos,
            env=self._environment,
            process_group=0,  # Ctrl-C at the terminal then reaches it through here alone, once
        )
        self._processes[slot] = process
        log.info("worker started", extra={"fields": {"worker": slot, "pid": process.pid}})
        if self._ending.is_set():  # while it was being started
            process.kill()
        await self._order(slot, process)
        await self._listen_to(slot, process)
        self._bury(slot, await process.wait())

    async def _order(self, slot: int, process: Process) -> None:
        """Tell a worker what to do; its standard input stays open for as long as this process lives."""
        stdin = cast("StreamWriter", process.stdin)  # asked for, so it is there
        with suppress(ConnectionError):  # it is dead already; the exit code says so
            order = Order(slot, self._settings, self._filenos, self._folder, joins_others=bool(self._up))
            stdin.write(order.line())
            await stdin.drain()

    async def _listen_to(self, slot: int, process: Process) -> None:
        """Read its signs of life until it closes its standard output."""
        stdout = cast("StreamReader", process.stdout)
        patience_s: float | None = None  # for the first sign: importing may take long on a busy machine
        silent = False
        while True:
            line: bytes | None
            try:
                line = await asyncio.wait_for(stdout.readline(), patience_s)
            except TimeoutError:
                line = None
            except ValueError:  # longer than the stream's limit; what came of it is thrown away there
                line = b"\n"
            if line == b"":
                return
            if line is not None:
                self._hear(slot, line.decode(errors="replace").rstrip("\n"))
            elif silent:  # the second time, for once may be a container that was frozen
                log.error("worker hangs", extra={"fields": {"worker": slot, "pid": process.pid}})
                with suppress(ProcessLookupError):
                    process.kill()
            silent, patience_s = line is None, _SILENCE_S

    def _hear(self, slot: int, text: str) -> None:
        if not text.startswith(ANNOUNCEMENT):
            if text:
                print(text, flush=True)  # noqa: T201 - what it prints of its own accord
            return
        self._up.add(slot)
        self._ever_up.add(slot)
        if len(self._ever_up) == self._count and not self._announced:
            self._announced = True
            print(text, flush=True)  # noqa: T201 - once for all, when all are up

    def _bury(self, slot: int, code: int) -> None:
        """Note a worker's end. What it counted stays; what it held at the moment goes with it."""
        process = self._processes.pop(slot)
        was_up = slot in self._up
        self._up.discard(slot)
        mark_process_dead(slot, self._folder)  # type: ignore[no-untyped-call]  # untyped there
        wanted = self._ending.is_set() and (code == 0 or not was_up)
        log.log(
            logging.INFO if wanted else logging.ERROR,
            "worker ended",
            extra={"fields": {"worker": slot, "pid": process.pid, "exit_code": code}},
        )

    def _end(self, number: signal.Signals) -> None:
        """Hand a signal on to every worker; the ports are theirs alone now, so they close with the last."""
        self._ending.set()
        self._listeners.close()
        for slot, process in self._processes.items():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                # One that is not up may not have taken the signal into its own hands yet.
                is_up = slot in self._up or number is signal.SIGTERM
                process.send_signal(number if is_up else signal.SIGKILL)


def _pause_after(last_s: float, lived_s: float) -> float:
    """Return the seconds to wait before a worker that lived so long gets a successor."""
    return 0.0 if lived_s >= _SETTLED_S else min(max(2 * last_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


def _for_one_worker(settings: Settings) -> dict[str, Any]:
    """Return one worker's settings as JSON values; it has its share of the cores."""
    share = max(1, usable_cores() // settings.workers)
    keys = settings.api_keys
    return {
        **settings.model_dump(mode="json"),
        "api_keys": None if keys is None else keys.get_secret_value(),
        "feedback_secret": secret_of(settings),  # made here once: each worker reads the others' ids
        "decode_threads": settings.decode_threads or share,
        "inference_threads": settings.inference_threads or share,
    }
