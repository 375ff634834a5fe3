"""The server: TensorFlow Serving's gRPC services on a loopback port, in the process of whoever starts it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from tfs.batching import Batcher, BatchingRules
from tfs.colours import Change, ColoursModel
from tfs.configured import Configured
from tfs.faults import Call, Faults
from tfs.library import AVAILABLE, Library, State, Version
from tfs.models import HalfLoaded, Model, saved_model
from tfs.monitoring import MetricsPage
from tfs.predict import Predictor
from tfs.services import Services

_THREADS: Final = 64
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two servers on one port would share its calls.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the authority, the server's certificate (127.0.0.1, localhost), a client's."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path


class StandIn:
    """A TensorFlow Serving of its own making. `faults` makes it go wrong, `calls` says what it was asked.

    `most_at_once` is --grpc_max_threads: one more call is refused at once. `mutual` asks clients for a
    certificate. `config_file` is --model_config_file, read again every `config_poll_s` seconds if not 0.
    Stopped, it forgets its ended versions, and nothing else; with a `config_file` everything, and begins
    with what that says.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        batching: BatchingRules | None = None,
        most_at_once: int | None = None,
        as_content: bool = False,
        tls: TlsFiles | None = None,
        mutual: bool = False,
        config_file: str | Path | None = None,
        config_poll_s: float = 0.0,
        labels_anywhere: bool = False,
        load_s: float = 0.0,
    ) -> None:
        self.host = host
        self.port = port
        self.library = Library()
        self.faults = Faults()
        self.batcher = None if batching is None else Batcher(batching)
        predictor = Predictor(self.library, self.faults, self.batcher, as_content=as_content)
        self._services = Services(self.library, self.faults, predictor, self.reload, most_at_once)
        self.calls = self._services.calls
        self._tls, self._mutual = tls, mutual
        self._config_file, self._config_poll_s = config_file, config_poll_s
        self._labels_anywhere, self._load_s = labels_anywhere, load_s
        self._configured: Configured | None = None
        self._server: grpc.Server | None = None
        self._page: MetricsPage | None = None

    @property
    def address(self) -> str:
        """Where it listens, or did: host:port."""
        return f"{self.host}:{self.port}"

    def start(self) -> "StandIn":
        """Listen, on the port of before if it listened before; not before every configured model answers."""
        self._configure()
        server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="tfs"),
            interceptors=self._services.interceptors,
            options=_OPTIONS,
        )
        self._services.add_to(server)
        if self._tls is None:
            self.port = server.add_insecure_port(self.address)
        else:
            self.port = server.add_secure_port(self.address, _credentials(self._tls, mutual=self._mutual))
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Go at once, as the real server does: calls under way break off."""
        if self._configured is not None:
            self._configured.close()
            self._configured = None
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def reload(self, config: Any) -> None:
        """Do what HandleReloadConfigRequest asks for; may raise `Refused`."""
        assert self._configured is not None
        self._configured.reload(config)

    def available(self, name: str = "colours") -> set[int]:
        """Return the versions that answer."""
        return {number for number, one in self.library.known(name).items() if one.state == AVAILABLE}

    @property
    def ignored(self) -> list[str]:
        """Why the polled file was not applied, each time since the start."""
        return [] if self._configured is None else list(self._configured.ignored)

    def close(self) -> None:
        """Stop for good."""
        self.faults.heal()
        self.stop()
        if self._page is not None:
            self._page.close()

    def metrics(self, port: int = 0) -> int:
        """Serve /monitoring/prometheus/metrics over HTTP; return the port."""
        self._page = MetricsPage(self.host, port, self._services.codes)
        return self._page.port

    def load(self, name: str, version: int, model: Model) -> None:
        """Make a version available."""
        self.library.put(name, Version(version, AVAILABLE, model))

    def load_colours(
        self, version: int = 1, name: str = "colours", change: Change | None = None
    ) -> ColoursModel:
        """Make a version of the NumPy model available; its number decides its scores."""
        model = ColoursModel(name, 10.0 * version, change or (lambda contract: contract))
        self.load(name, version, model)
        return model

    def load_half(self, version: int, name: str = "colours") -> None:
        """Make a version available that tells its contract and fails at every picture: half copied."""
        self.load(name, version, HalfLoaded(ColoursModel(name, 10.0 * version)))

    def load_folder(self, folder: str | Path, name: str, version: int) -> None:
        """Make a real SavedModel available; the first one of a process brings in TensorFlow (7 s)."""
        self.load(name, version, saved_model(Path(folder)))

    def report(
        self, version: int, state: str, name: str = "colours", code: int = 0, message: str | bytes = b""
    ) -> None:
        """Report a version that does not answer: START, LOADING, UNLOADING, or END with an error."""
        assert state in State.DESCRIPTOR.values_by_name, state
        text = message.encode() if isinstance(message, str) else message
        self.library.put(name, Version(version, state, None, code, text))

    def unload(self, version: int, name: str = "colours") -> None:
        """End a version."""
        self.report(version, "END", name)

    def label(self, label: str, version: int | None, name: str = "colours") -> None:
        """Let a label mean a version; None takes the label away."""
        self.library.label(name, label, version)

    def asked(self, method: str = "Predict", signature: str | None = None) -> list[Call]:
        """Return the calls of a method so far, all or those to one signature."""
        return [
            call for call in list(self.calls) if call.method == method and signature in (None, call.signature)
        ]

    def _configure(self) -> None:
        if self._config_file is None:
            self.library.forget_ended()
        else:
            self.library.clear()
        self._configured = Configured(
            self.library, labels_anywhere=self._labels_anywhere, load_s=self._load_s
        )
        if self._config_file is not None:
            self._configured.begin(Path(self._config_file), self._config_poll_s)


def _credentials(tls: TlsFiles, *, mutual: bool) -> grpc.ServerCredentials:
    pair = (tls.key.read_bytes(), tls.cert.read_bytes())
    authority = tls.ca.read_bytes() if mutual else None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=mutual)
