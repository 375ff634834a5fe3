"""All servers behind the setting `tfs`: who gets a call, and where it goes when that one fails."""

import asyncio
import logging
from asyncio import Event
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic, perf_counter

from pictor_contract import ImageContract
from pictor_gateway.backends.tensorflow_serving.addresses import Addresses, Resolve, ask_dns
from pictor_gateway.backends.tensorflow_serving.channel import Channel, ChannelPlan
from pictor_gateway.backends.tensorflow_serving.failures import NO_FAULT, CallFailed, FailureKind
from pictor_gateway.backends.tensorflow_serving.retry_budget import RetryBudget
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.backends.tensorflow_serving.tls import credentials_from
from pictor_gateway.errors import BackendUnavailable
from pictor_gateway.request.deadline import Deadline
from pictor_gateway.settings import InvalidSettings, Settings
from pictor_gateway.telemetry.metrics import Metrics
from pictor_tfs.targets import Address, parse_targets

log = logging.getLogger("pictor.tfs")

_REASONS: dict[FailureKind, str] = {
    "gone": "unavailable",
    "busy": "busy",
    "refused": "failed",
    "late": "late",
}

Has = Callable[[Server], bool]
"""Whether a server has what a call needs."""

_STAGE = "inference"

_MOST_ATTEMPTS = 3
_MOST_TAKEN_DOWN = 2
"""A batch that took down so many servers goes to no other: it may be what kills them."""
_EARLY_S = 0.05
"""A server that says the time is over with so much of it left has a limit of its own."""
_MOST_REFUSED = 2
"""A batch that so many servers could not answer is the reason itself."""

GRACE_S = 1.0
"""How long after a server's ejection a call that finds no other waits for one to come back: a connection that
broke, or a quick restart, is no reason to refuse anybody."""


@dataclass(slots=True)
class _Attempts:
    """What became of one call so far."""

    count: int = 0
    taken_down: int = 0
    refused: int = 0
    tried: set[Server] = field(default_factory=set)
    full: set[Server] = field(default_factory=set)
    last: CallFailed | None = None

    def note(self, failure: CallFailed) -> None:
        """Add an attempt that failed."""
        self.count += 1
        self.last = failure
        self.tried.add(failure.server)
        if failure.kind != "gone":
            self.full.add(failure.server)
            self.refused += failure.kind != "busy"
        elif failure.reached:
            self.taken_down += 1

    @property
    def over(self) -> bool:
        """Whether one more attempt would be unsafe, or once too often."""
        return (
            self.count >= _MOST_ATTEMPTS
            or self.taken_down >= _MOST_TAKEN_DOWN
            or self.refused >= _MOST_REFUSED
        )


class Fleet:
    """Every server behind the targets. `metrics` may be set later, before the first call.

    Built without a loop; opens nothing before `start`.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, resolve: Resolve = ask_dns
    ) -> None:
        self.metrics = metrics
        self._settings = settings
        self._plan = ChannelPlan(
            settings.tfs_probe_timeout_s, credentials_from(settings), settings.tfs_server_name
        )
        self._servers: dict[str, Server] = {}
        self._leaving: set[Server] = set()
        self._addresses = Addresses(
            parse_targets(settings.tfs or ""), settings.tfs_resolve_interval_s, self._follow, resolve
        )
        self._budget = RetryBudget(settings.tfs_retry_ratio)
        self._callbacks: list[Callable[[], None]] = []
        self._turn = 0
        self._lost_at = float("-inf")
        self._news = Event()

    @property
    def servers(self) -> tuple[Server, ...]:
        """All servers known now, usable or not."""
        return tuple(self._servers.values())

    @property
    def resolved(self) -> Event:
        """Set once every DNS name was asked for the first time, whatever came of it."""
        return self._addresses.resolved

    @property
    def troubles(self) -> tuple[str, ...]:
        """A sentence for each name that stands for no server."""
        return self._addresses.troubles

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever servers came or left, or a name gives none."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Know the fixed addresses and begin to ask DNS; return at once."""
        self._follow()
        self._addresses.start()

    async def close(self) -> None:
        """Give up what is under way and close every connection."""
        await self._addresses.close()
        await asyncio.gather(*(server.close() for server in {*self.servers, *self._leaving}))

    async def call(
        self,
        path: str,
        request: bytes,
        deadline: Deadline,
        has: Has,
        traceparent: str = "",
        failed: Callable[[CallFailed], None] = lambda failure: None,
    ) -> tuple[bytes, Server]:
        """Ask the least busy server that `has` what is needed; ask another if that is safe.

        `failed` is told of every attempt that failed, also where another one did better.

        Raises:
            CallFailed: the last attempt's failure.
            BackendUnavailable: no server can be asked.
            DeadlineExceeded: time ran out before the next attempt.
        """
        attempts = _Attempts()
        self._budget.earn()
        while True:
            server = await self._server_for(has, attempts, deadline)
            try:
                return await self._attempt(server, path, request, deadline, traceparent), server
            except CallFailed as failure:
                failed(failure)
                if failure.code in NO_FAULT or (failure.kind == "late" and deadline.left_s() < _EARLY_S):
                    raise
                attempts.note(failure)
                if attempts.over:
                    raise

    def parallel_calls(self, has: Has) -> int:
        """Return how many calls should be under way at once on the servers that `has` what is needed."""
        usable = sum(server.usable and has(server) for server in self.servers)
        return max(1, usable * self._settings.tfs_calls_per_server)

    def make_room(self, contract: ImageContract) -> None:
        """Let the model's largest batch and its scores through; channels with less room are opened anew."""
        limits = self._plan.limits.with_room_for(contract)
        if limits != self._plan.limits:
            self._plan = replace(self._plan, limits=limits)
            for server in self.servers:
                server.reopen()

    async def _attempt(
        self, server: Server, path: str, request: bytes, deadline: Deadline, traceparent: str
    ) -> bytes:
        began, code = perf_counter(), "CANCELLED"
        try:
            answer = await server.call(path, request, deadline.left_s(), traceparent, work=True)
            code = "OK"
        except CallFailed as failure:
            code = failure.code.name
            raise
        finally:
            if self.metrics is not None:
                self.metrics.backend_calls.labels(code).inc()
                self.metrics.backend_duration.observe(perf_counter() - began)
        return answer

    async def _server_for(self, has: Has, attempts: _Attempts, deadline: Deadline) -> Server:
        """Return the server to ask next; wait a moment for one if all were lost just now."""
        while True:
            deadline.check(_STAGE)
            server = self._least_busy(has, attempts)
            last = attempts.last
            if last is not None and (self._budget.spent or (server is None and last.kind != "gone")):
                raise last
            if server is not None:
                self._count_retry(last)
                return server
            wait_s = min(self._lost_at + GRACE_S - monotonic(), deadline.left_s())
            if wait_s <= 0:
                raise BackendUnavailable(
                    "No server that has the model can be reached now."
                ) from attempts.last
            news = self._news
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await news.wait()

    def _least_busy(self, has: Has, attempts: _Attempts) -> Server | None:
        """Return the server with the fewest calls, in turn among equals; one that was tried only at need."""
        able = [one for one in self.servers if one.usable and one not in attempts.full and has(one)]
        wanted = [one for one in able if one not in attempts.tried] or able
        if not wanted:
            return None
        chosen = min(wanted, key=lambda one: (one.full, one.busy, one.turn))
        if not attempts.tried:  # a retry is no turn, or those that send calls on would be asked first again
            self._turn = chosen.turn = self._turn + 1
        return chosen

    def _count_retry(self, last: CallFailed | None) -> None:
        if last is None:
            return
        self._budget.take()
        if self.metrics is not None:
            reason = "ejected" if last.given_up else _REASONS[last.kind]
            self.metrics.retries.labels(reason).inc()

    def _follow(self) -> None:
        """Bring the servers in line with the addresses."""
        now = {address.uri: address for address in self._addresses.now}
        gone = [uri for uri in self._servers if uri not in now]
        new = [uri for uri in now if uri not in self._servers]
        for uri in gone:
            server = self._servers.pop(uri)
            self._leaving = {one for one in self._leaving if one.at_work} | {server}
            self._lost_at = monotonic()
            server.leave()
            log.info("server left", extra={"fields": {"server": server.address}})
        patience_s = self._settings.tfs_probe_timeout_s
        for uri in new:
            self._servers[uri] = Server(now[uri], self._open, patience_s, self._turned)
            log.info("server found", extra={"fields": {"server": now[uri].text}})
        if gone or new:
            self._tell_waiting()
        for callback in self._callbacks:
            callback()

    def _open(self, address: Address) -> Channel:
        """Open a channel with the certificates that the files hold now."""
        try:
            self._plan = replace(self._plan, credentials=credentials_from(self._settings))
        except InvalidSettings as error:
            log.warning("certificates not read again", extra={"fields": {"reason": str(error)}})
        return Channel(address, self._plan)

    def _turned(self, server: Server) -> None:
        if server.usable:
            self._tell_waiting()
        else:
            self._lost_at = monotonic()
            self._addresses.ask_again()
            if self.metrics is not None:
                self.metrics.ejections.labels(server.ejected_for).inc()

    def _tell_waiting(self) -> None:
        self._news.set()
        self._news = Event()
