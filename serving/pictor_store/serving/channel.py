"""Questions to one TensorFlow Serving, waited for: each has a deadline, and an answer or a failure."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

import grpc

from pictor_store.errors import StoreError
from pictor_store.serving.servers import Servers, Tls
from pictor_tfs.targets import Address

ASK_S: Final = 10.0
"""Seconds for one question. The first answer of a version that was not warmed up takes some."""

_MOST_WORDS: Final = 300

_AGAIN: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
                },
            }
        ]
    }
)
"""A server that clients keep busy refuses one call more than it has threads: that is no answer to ours."""


class CallFailed(Exception):
    """A server gave no answer, or an error for one; the message names the server."""

    def __init__(self, server: str, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.words: str = (error.details() or "")[:_MOST_WORDS]
        super().__init__(f"TensorFlow Serving at {server}: {self.code.name} {self.words}".rstrip())

    @property
    def is_away(self) -> bool:
        """Whether nobody answered; a full queue looks the same, and passes as well."""
        return self.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class _Call(Protocol):
    """What gRPC gives for a call that is under way."""

    def result(self) -> bytes:
        """Wait for the answer."""


class Pending:
    """A call that is under way."""

    def __init__(self, server: str, call: _Call) -> None:
        self._server = server
        self._call = call

    def answer(self) -> bytes:
        """Wait for the answer.

        Raises:
            CallFailed: there is none.
        """
        try:
            return self._call.result()
        except grpc.RpcError as error:
            raise CallFailed(self._server, error) from error
        except grpc.FutureCancelledError as error:  # by the interpreter's end; nobody here cancels
            raise StoreError(f"The call to {self._server} was given up.") from error


class Server:
    """One server; `address` is for people."""

    def __init__(self, address: Address, channel: grpc.Channel) -> None:
        self.address = address.text
        self._channel = channel

    def begin(self, path: str, request: bytes, timeout_s: float) -> Pending:
        """Begin a call."""
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
        return Pending(self.address, method.future(request, timeout=timeout_s))

    def ask(self, path: str, request: bytes, timeout_s: float = ASK_S) -> bytes:
        """Ask, and wait for the answer.

        Raises:
            CallFailed: there is none.
        """
        return self.begin(path, request, timeout_s).answer()


@contextmanager
def connected(servers: Servers) -> Iterator[list[Server]]:
    """Open a channel to every server.

    Raises:
        RolloutFailed: a name has no address.
        StoreError: a file for TLS cannot be read.
    """
    credentials = None if servers.tls is None else _credentials(servers.tls)
    name = None if servers.tls is None else servers.tls.name
    with ExitStack() as opened:
        yield [
            Server(address, opened.enter_context(_channel(address, credentials, name)))
            for address in servers.found()
        ]


def _channel(address: Address, credentials: grpc.ChannelCredentials | None, name: str | None) -> grpc.Channel:
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.service_config", _AGAIN),
        # The addresses are inside the cluster: a proxy for the outside world knows nothing of them.
        ("grpc.enable_http_proxy", 0),
    ]
    if name or address.host:
        options.append(("grpc.default_authority", name or address.authority))
        options.append(("grpc.ssl_target_name_override", name or address.host))
    if credentials is None:
        return grpc.insecure_channel(address.uri, options)
    return grpc.secure_channel(address.uri, credentials, options)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(_read(tls.ca_file), _read(tls.key_file), _read(tls.cert_file))


def _read(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file} cannot be read for TLS: {error.strerror or error}.") from error
