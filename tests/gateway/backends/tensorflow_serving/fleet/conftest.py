"""Real gRPC servers on loopback behind a relay that can be cut, frozen and put back; no TensorFlow."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from pictor_gateway import Settings
from pictor_gateway.backends.tensorflow_serving.addresses import ask_dns
from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.telemetry.metrics import Metrics
from pictor_tfs.messages import MODEL_STATUS, PREDICT, status_request

PATIENCE_S = 20

Answer = Callable[[bytes, Any], Awaitable[bytes]]


class Pod:
    """One server: answers Predict as `answer` says (its host, if it says nothing), and every status poll."""

    def __init__(self, host: str, port: int, folder: Path) -> None:
        self.host, self.port = host, port
        self.address = f"{host}:{port}"
        self.answer: Answer | None = None
        self.requests: list[bytes] = []
        self.metadata: list[dict[str, str]] = []
        self.polls = 0
        self.cancelled = 0
        self._socket = folder / host
        self._grpc: grpc.aio.Server | None = None
        self._relay: asyncio.Server | None = None
        self._writers: set[StreamWriter] = set()
        self._running = asyncio.Event()
        self._running.set()

    async def start(self) -> None:
        """Listen."""
        if self._grpc is None:
            options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
            self._grpc = grpc.aio.server(options=options)
            self._grpc.add_generic_rpc_handlers([_Handlers(self)])
            self._grpc.add_insecure_port(f"unix:{self._socket}")
            await self._grpc.start()
        self._relay = await asyncio.start_server(self._serve, self.host, self.port)

    def kill(self) -> None:
        """Go at once: connections are reset, new ones refused."""
        assert self._relay is not None
        self._relay.close()
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Stop answering anything, like a stopped process; connections stay."""
        self._running.clear()

    def thaw(self) -> None:
        """Go on."""
        self._running.set()

    async def stop(self) -> None:
        """End."""
        self.thaw()
        self.kill()
        if self._grpc is not None:
            await self._grpc.stop(None)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
            self._writers |= {writer, inner_writer}
            await asyncio.gather(self._pass_on(reader, inner_writer), self._pass_on(inner_reader, writer))
            self._writers -= {writer, inner_writer}

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._running.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, pod: Pod) -> None:
        self._pod = pod

    def service(self, details: Any) -> Any:
        """Carry bytes, as the fleet does."""
        if details.method == MODEL_STATUS:
            return grpc.unary_unary_rpc_method_handler(self._status)
        return grpc.unary_unary_rpc_method_handler(self._predict)

    async def _status(self, request: bytes, context: Any) -> bytes:
        self._pod.polls += 1
        return b"status"

    async def _predict(self, request: bytes, context: Any) -> bytes:
        pod = self._pod
        pod.requests.append(request)
        pod.metadata.append(dict(context.invocation_metadata()))
        try:
            return pod.host.encode() if pod.answer is None else await pod.answer(request, context)
        except asyncio.CancelledError:
            pod.cancelled += 1
            raise


def refusing(code: str, text: str = "") -> Answer:
    """Answer with an error."""

    async def answer(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode[code], text)
        raise AssertionError

    return answer


async def silent(request: bytes, context: Any) -> bytes:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def poll(server: Server, patience_s: float) -> None:
    """Poll a server as the backend does."""
    while not server.left:
        with suppress(CallFailed):
            await server.call(MODEL_STATUS, status_request("colours"), patience_s)
            server.readmit()
        await server.until_next_poll(0.05)


class Running:
    """A fleet that is polled, and its metrics."""

    def __init__(self, fleet: Fleet, settings: Settings) -> None:
        self.fleet = fleet
        self.registry = CollectorRegistry()
        fleet.metrics = Metrics(self.registry)
        self._settings = settings
        self._polled: dict[Server, asyncio.Task[None]] = {}
        fleet.on_change(self.poll_all)

    def poll_all(self) -> None:
        """Begin to poll servers that are new."""
        for server in self.fleet.servers:
            if server not in self._polled:
                work = poll(server, self._settings.tfs_probe_timeout_s)
                self._polled[server] = asyncio.create_task(work)

    async def end_polls(self) -> None:
        """Poll no more."""
        for task in self._polled.values():
            task.cancel()
        await asyncio.gather(*self._polled.values(), return_exceptions=True)

    def server(self, pod: Pod) -> Server:
        """Return the fleet's view of a pod."""
        return next(server for server in self.fleet.servers if server.address == pod.address)

    async def predict(
        self, request: bytes = b"pictures", within_s: float = PATIENCE_S, **options: Any
    ) -> str:
        """Return the host that answered."""
        has = options.pop("has", lambda server: True)
        answer, _ = await self.fleet.call(PREDICT, request, Deadline.after(within_s), has, **options)
        return answer.decode()

    async def load(self, calls: int, at_once: int) -> list[object]:
        """Make many calls, some at once, and return what each gave: a host, or an exception."""
        places = asyncio.Semaphore(at_once)

        async def one() -> object:
            async with places:
                return await self.predict()

        return await asyncio.gather(*(one() for _ in range(calls)), return_exceptions=True)

    def count(self, metric: str, **labels: str) -> float:
        """Return a counter's value."""
        return self.registry.get_sample_value(metric, labels) or 0.0


class Ground:
    """Starts pods and fleets; both end with the test."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.silent = silent
        self.refusing = refusing

    async def pods(self, count: int = 1) -> Sequence[Pod]:
        """Start pods on 127.0.0.1, 127.0.0.2 and so on, all on one port, like those of one Service."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        pods = [Pod(f"127.0.0.{number}", port, self._folder) for number in range(1, count + 1)]
        for pod in pods:
            await pod.start()
            self._stack.push_async_callback(pod.stop)
        return pods

    async def fleet(self, pods: Sequence[Pod] = (), resolve: Any = ask_dns, **settings: object) -> Running:
        """Start a fleet on pods."""
        targets = ",".join(pod.address for pod in pods)
        wanted = Settings.load({"tfs": targets, "model": "m", "tfs_resolve_interval_s": 0.02, **settings}, {})
        running = Running(Fleet(wanted, resolve=resolve), wanted)
        self._stack.push_async_callback(running.fleet.close)
        self._stack.push_async_callback(running.end_polls)
        await running.fleet.start()
        async with asyncio.timeout(PATIENCE_S):
            await running.fleet.resolved.wait()
        return running

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - what is awaited happens in several places
                await asyncio.sleep(0.002)


@asynccontextmanager
async def on_ground() -> AsyncIterator[Ground]:
    """Give a place for pods and fleets."""
    with TemporaryDirectory(prefix="pods") as folder:
        async with AsyncExitStack() as stack:
            yield Ground(stack, Path(folder))


@pytest.fixture
def ground() -> Callable[[], Any]:
    """Give what starts servers and fleets inside a running loop."""
    return on_ground
