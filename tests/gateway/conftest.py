"""Tiny models in a real store, the gateway on them in process, and the real command as a process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, TypeVar

import httpx
import numpy as np
import onnx
import pytest
import uvicorn
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper
from prometheus_client import CollectorRegistry

from colours import make_contract, make_picture
from pictor_contract import ImageContract
from pictor_contract.artifact import CONTRACT_FILE, EXTRA, ONNX_DIGEST_KEY, ONNX_FILE, write_manifest
from pictor_gateway import Settings, create_app
from pictor_gateway.backends.embedded import EmbeddedBackend
from pictor_gateway.process.server import uvicorn_config

Result = TypeVar("Result")
PATIENCE_S = 30.0


def make_onnx(contract: ImageContract, sharpness: float) -> onnx.ModelProto:
    """Return the model: softmax(sharpness * mean colour)."""
    scale = numpy_helper.from_array(np.array(sharpness / 255, np.float32), "scale")
    axes = numpy_helper.from_array(np.array([1, 2], np.int64), "axes")
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    pictures = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", *contract.input.shape])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", len(contract.labels)])
    graph = helper.make_graph(nodes, "colour", [pictures], [scores], [scale, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {ONNX_DIGEST_KEY: contract.digest()})
    return model


def publish_colours(
    store: Path,
    name: str,
    version: int,
    change: Callable[[ImageContract], ImageContract] = lambda contract: contract,
    spoil: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Publish a version as training does, by one rename; `change` and `spoil` make it wrong before that."""
    contract = change(make_contract(name, 10.0 * version))
    staging = store / name / f".staging-{version}"
    (staging / EXTRA).mkdir(parents=True)
    (staging / CONTRACT_FILE).write_text(contract.to_json(), encoding="utf-8")
    onnx.save(make_onnx(contract, 10.0 * version), str(staging / ONNX_FILE))
    write_manifest(staging)
    spoil(staging)
    return staging.rename(store / name / str(version))


def eventually(holds: Callable[[], bool]) -> None:
    """Return once `holds()`; fail when it takes longer than anyone would wait."""
    end = monotonic() + PATIENCE_S
    pause = Event()
    while not holds():
        assert monotonic() < end, "it never came true"
        pause.wait(0.01)


@dataclass
class ServeProcess:
    """`pictor serve` as a process of its own."""

    process: subprocess.Popen[str]
    log_file: Path

    def announcement(self) -> str:
        """Return the line that says where it listens; it comes when the models have been tried."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def address(self) -> str:
        """Return where it listens, once it says so."""
        line = self.announcement()
        assert "listening on http://" in line, line + self.log_file.read_text(encoding="utf-8")
        return line.partition("listening on ")[2].partition(",")[0]

    def log(self) -> list[dict[str, object]]:
        """Return its log lines so far."""
        return [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@dataclass
class RunningGateway:
    """A gateway in this process, on loopback, with its event loop in a thread of its own."""

    app: FastAPI
    http: httpx.Client
    loop: asyncio.AbstractEventLoop

    def wait_for(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run `work` on the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)


@contextmanager
def run_gateway(backend: object, **settings: object) -> Iterator[RunningGateway]:
    """Serve over real HTTP; the models have been tried when it begins."""
    wanted = Settings.load({"poll_interval_s": 0.02, "request_timeout_s": PATIENCE_S, **settings}, {})
    served: Any = backend or EmbeddedBackend(wanted.store, wanted.keep_versions, 2, wanted.poll_interval_s)
    app = create_app(wanted, served, CollectorRegistry())
    server = uvicorn.Server(uvicorn_config(app, wanted))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each answer waits 40 ms for an ACK
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_until_complete, args=[server.serve([listener])])
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE_S, trust_env=False
        ) as http:
            gateway = RunningGateway(app, http, loop)
            gateway.wait_for(served.started.wait())
            yield gateway
    finally:
        server.should_exit = True
        thread.join()
        loop.close()


Publish = Callable[..., Path]
MakeGateway = Callable[..., RunningGateway]
Serve = Callable[..., ServeProcess]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the shell may have set: our settings, and proxies that know nothing of loopback."""
    for name in [
        name for name in os.environ if name.upper().startswith("PICTOR_") or "_proxy" in name.lower()
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store with version 1 of the model "colours"."""
    folder = tmp_path / "store"
    publish_colours(folder, "colours", 1)
    return folder


@pytest.fixture
def publish(store: Path) -> Publish:
    """Publish into the store: `publish("colours", 2)`."""
    return partial(publish_colours, store)


@pytest.fixture
def make_gateway(store: Path) -> Iterator[MakeGateway]:
    """Start gateways in this process, by default on `store`; settings by keyword."""
    with ExitStack() as running:

        def start(backend: object = None, **settings: object) -> RunningGateway:
            return running.enter_context(run_gateway(backend, **{"models": store, **settings}))

        yield start


@pytest.fixture(name="run_gateway")
def _run_gateway() -> Callable[..., AbstractContextManager[RunningGateway]]:
    """Serve for as long as a block runs: `with run_gateway(None, models=store) as gateway`."""
    return run_gateway


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Give a client of a gateway that a module's tests share: for questions that leave no trace."""
    store = tmp_path_factory.mktemp("store")
    publish_colours(store, "colours", 1)
    with run_gateway(None, models=store, max_body_bytes=200_000, max_pictures_per_request=3) as gateway:
        yield gateway.http


@pytest.fixture
def serve(store: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start `pictor serve` on `store`, on a port the system chooses; it ends with the test."""
    running: list[ServeProcess] = []

    def start(
        *flags: str, models: Path = store, environment: Mapping[str, str] | None = None
    ) -> ServeProcess:
        command = [sys.executable, "-c", "from pictor_gateway.cli import serve; serve()"]
        log_file = tmp_path / f"serve-{len(running)}.log"
        with log_file.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [*command, "--models", str(models), "--port", "0", "--poll-interval-s", "0.05", *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        running.append(ServeProcess(process, log_file))
        return running[-1]

    yield start
    for process in running:
        process.end()


@pytest.fixture(name="picture")
def _picture() -> Callable[..., bytes]:
    """Make encoded pictures of one colour."""
    return make_picture


@pytest.fixture(name="eventually")
def _eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds."""
    return eventually
