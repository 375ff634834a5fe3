"""One gRPC channel to one server: how it is opened, what may go over it, when it is closed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio

from pictor_contract import ImageContract
from pictor_tfs.targets import Address

MOST_MESSAGE_BYTES: Final = 2**31 - 1
"""Protocol buffers allow no more, and TensorFlow Serving's own limit is the same."""

_FIRST_BYTES = 16 * 1024 * 1024
"""Both limits before any contract is known: a contract with a large golden picture fits."""
_OVERHEAD_BYTES = 64 * 1024
"""For all of a message that is neither pixels nor scores."""
_SCORE_BYTES = 4

_KEEPALIVE_MS = 20_000
_KEEPALIVE_PATIENCE_MS = 10_000
_FIRST_RECONNECT_MS = 100
_LAST_RECONNECT_MS = 500
"""Short: the gateway is to be ready a second after its server is."""

Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
Rpc = grpc.aio.UnaryUnaryCall[bytes, bytes]


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """Bytes in a request and in an answer; gRPC refuses more on our side, before it fills the memory."""

    send: int = _FIRST_BYTES
    receive: int = _FIRST_BYTES

    def with_room_for(self, contract: ImageContract) -> "MessageLimits":
        """Return limits that let the model's largest batch through, and are never smaller than these."""
        height, width, channels = contract.input.shape
        pixels = contract.max_batch * height * width * channels
        scores = contract.max_batch * len(contract.labels) * _SCORE_BYTES
        return MessageLimits(_raised(self.send, pixels), _raised(self.receive, scores))


def _raised(limit: int, payload: int) -> int:
    return min(MOST_MESSAGE_BYTES, max(limit, payload + _OVERHEAD_BYTES))


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """How channels are opened. `connect_timeout_s` is for TCP and TLS; `name` is what certificates carry."""

    connect_timeout_s: float
    credentials: grpc.ChannelCredentials | None = None
    name: str | None = None
    limits: MessageLimits = MessageLimits()

    def options(self, address: Address) -> list[tuple[str, str | int]]:
        """Return the channel's options, each on purpose."""
        options: list[tuple[str, str | int]] = [
            ("grpc.max_send_message_length", self.limits.send),
            ("grpc.max_receive_message_length", self.limits.receive),
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", _KEEPALIVE_PATIENCE_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
            ("grpc.max_reconnect_backoff_ms", _LAST_RECONNECT_MS),
            # Despite its name the time limit of one attempt to connect.
            ("grpc.min_reconnect_backoff_ms", int(self.connect_timeout_s * 1000)),
            # A channel opened anew must not inherit the connection, or the waiting, of the one before.
            ("grpc.use_local_subchannel_pool", 1),
            # The addresses are inside the cluster: a proxy for the outside world knows nothing of them.
            ("grpc.enable_http_proxy", 0),
            # The fleet repeats calls, within a budget; nothing beneath it may do so as well.
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
        ]
        # We connect to addresses; certificates and proxies know names.
        if self.name or address.host:
            options.append(("grpc.default_authority", self.name or address.authority))
            options.append(("grpc.ssl_target_name_override", self.name or address.host))
        return options


class Channel:
    """An open channel; calls carry bytes. Built on the running loop."""

    def __init__(self, address: Address, plan: ChannelPlan) -> None:
        options = plan.options(address)
        self._channel = (
            grpc.aio.insecure_channel(address.uri, options)
            if plan.credentials is None
            else grpc.aio.secure_channel(address.uri, plan.credentials, options)
        )
        self._methods: dict[str, Method] = {}
        self.losses = 0
        """How often the connection was lost, or closed by the server in good order."""
        self._watching = asyncio.create_task(self._watch(), name=f"pictor-channel-{address.text}")

    @property
    def connected(self) -> bool:
        """Whether a request given now goes out at once."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    def begin(self, path: str, request: bytes, timeout_s: float, traceparent: str, wait: bool) -> Rpc:
        """Begin a call; with `wait` it waits for the connection instead of failing for the lack of one."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path)
        metadata = (("traceparent", traceparent),) if traceparent else None
        return method(request, timeout=timeout_s, metadata=metadata, wait_for_ready=wait)

    async def _watch(self) -> None:
        state = self._channel.get_state()
        while True:
            await self._channel.wait_for_state_change(state)
            before, state = state, self._channel.get_state()
            self.losses += before is grpc.ChannelConnectivity.READY

    async def close(self) -> None:
        """Close it, which ends what is still under way."""
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching
        await self._channel.close()


OpenChannel = Callable[[Address], Channel]
