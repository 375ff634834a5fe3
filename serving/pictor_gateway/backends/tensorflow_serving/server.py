"""One server: the calls under way on it, and what their outcomes say about its health."""

import asyncio
import logging
from asyncio import Task, TimerHandle
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Literal

import grpc
import grpc.aio

from pictor_gateway.backends.tensorflow_serving.channel import Channel, OpenChannel
from pictor_gateway.backends.tensorflow_serving.failures import ILL_CODES, CallFailed, judge
from pictor_gateway.backends.tensorflow_serving.flight import Flight
from pictor_gateway.backends.tensorflow_serving.health import Health
from pictor_tfs.targets import Address

log = logging.getLogger("pictor.tfs")

EjectedFor = Literal["unreachable", "silent", "failing"]
"""Why a server was given no more work, the last time."""

_POLLS_PER_PATIENCE = 3
"""Polls of a healthy server before its silence counts: a slow Predict alone must not look like a hang."""

_OVERSLEPT_S = 0.5
"""A timer that is this late says that our own process stood still, and nothing about the server."""

_FULL_S = 0.25  # another gateway's load passes no sooner; a refusal that costs nothing must attract no work
_ROUNDING_S = 0.05  # gRPC's timers and ours do not agree to the last millisecond


class Server:
    """One address. Any answer is a sign of life; whoever polls it decides when it gets work again.

    `turned` is called, on the loop, whenever `usable` changed.
    """

    def __init__(
        self,
        address: Address,
        open_channel: OpenChannel,
        patience_s: float,
        turned: Callable[["Server"], None],
    ) -> None:
        self.address = address.text
        self.left = False
        self.ejected_for: EjectedFor = "unreachable"
        self.turn = 0  # which of the fleet's calls it got last: among equals the longest idle one is next
        self._address = address
        self._open_channel = open_channel
        self._patience_s = patience_s
        self._turned = turned
        self._health = Health()
        self._channel: Channel | None = None
        self._former_losses = 0
        self._full_until = 0.0
        self._flights: dict[Flight, None] = {}
        self._heard_at = 0.0
        self._watch: TimerHandle | None = None
        self._wake = asyncio.Event()
        self._closing: set[Task[None]] = set()

    @property
    def usable(self) -> bool:
        """Whether it is given work."""
        return self._health.usable and not self.left

    @property
    def busy(self) -> int:
        """Callers' requests under way."""
        return sum(flight.work for flight in tuple(self._flights))  # a copy: metrics are read in a thread

    @property
    def full(self) -> bool:
        """Whether it has just refused work for being full: others come first for a moment."""
        return monotonic() < self._full_until

    @property
    def at_work(self) -> bool:
        """Whether any call is under way."""
        return bool(self._flights)

    @property
    def losses(self) -> int:
        """How often its connection was lost or replaced: another process may answer since."""
        return self._former_losses + (self._channel.losses if self._channel is not None else 0)

    @property
    def ejections(self) -> int:
        """How often it was ejected."""
        return self._health.ejections

    async def call(
        self, path: str, request: bytes, timeout_s: float, traceparent: str = "", *, work: bool = False
    ) -> bytes:
        """Ask once and return the answer. While the server is ejected, wait for the connection.

        `work`: it is a caller's request, which counts as load and for the breaker. Our own questions do not:
        a server that answers them well may still fail at its work.

        Raises:
            CallFailed: no answer, or an error for an answer.
        """
        if self.left:
            raise CallFailed(grpc.StatusCode.UNAVAILABLE, "the server has left", self, "gone")
        flight = self._begin(path, request, timeout_s, traceparent, work)
        try:
            answer = await self._outcome(flight)
        except grpc.aio.AioRpcError as error:
            raise self._failed(flight, error) from error
        finally:
            self._land(flight)
        self._heard_at = monotonic()
        if work:
            self._health.good_answer()
        return answer

    def eject(self, why: EjectedFor, details: str) -> None:
        """Give it no more work, and give up what is under way: those calls fail and go elsewhere."""
        if self._health.usable:
            for flight in self._flights:
                self._give_up(flight, details)
            self._stop_work(why, details)

    def readmit(self) -> None:
        """Give it work again, after a poll that it answered well.

        After repeated failures it has to wait in spite of good polls; then this does nothing.
        """
        if self._health.usable or self.left or not self._health.readmit():
            return
        away_s = round(monotonic() - self._health.ejected_at, 3)
        log.info("server readmitted", extra={"fields": {"server": self.address, "away_s": away_s}})
        self._turned(self)

    def next_probe_s(self) -> float:
        """Return the pause before the next poll of an ejected server; it grows from call to call."""
        return self._health.next_probe_s()

    async def until_next_poll(self, poll_interval_s: float) -> None:
        """Return when the server should be polled again, or when it has left."""
        if self.usable:
            await self._pause(min(poll_interval_s, self._patience_s / _POLLS_PER_PATIENCE))
        if not self._health.usable:
            await self._pause(self.next_probe_s())

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond an ejection or the server's leaving."""
        if self.left:
            return
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def reopen(self) -> None:
        """Use a new channel from the next call on; the one in use is closed when its last call has ended."""
        channel, self._channel = self._channel, None
        if channel is not None:
            self._former_losses += channel.losses + 1
            self._close_if_done(channel)

    def leave(self) -> None:
        """Take no new calls; what is under way finishes."""
        self.left = True
        self.reopen()
        self._wake.set()

    async def close(self) -> None:
        """Leave, give up what is under way, and wait until the connections are closed."""
        self.leave()
        if self._watch is not None:
            self._watch.cancel()
        for flight in list(self._flights):
            self._give_up(flight, "the gateway stops")
            self._land(flight)
        await asyncio.gather(*self._closing)

    def _begin(self, path: str, request: bytes, timeout_s: float, traceparent: str, work: bool) -> Flight:
        if self._channel is None:
            self._channel = self._open_channel(self._address)
        channel = self._channel
        reached = channel.connected
        rpc = channel.begin(path, request, timeout_s, traceparent, wait=not self._health.usable)
        flight = Flight(rpc, channel, work, monotonic(), reached)
        self._flights[flight] = None
        if self._watch is None:
            self._look_at(flight.began + self._patience_s)
        return flight

    async def _outcome(self, flight: Flight) -> bytes:
        """Return the answer; tell a call that we gave up from the end of our own task: it looks the same."""
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task else 0
        try:
            return await flight.rpc
        except asyncio.CancelledError:
            if not flight.given_up or (task is not None and task.cancelling() > cancelled_before):
                raise
            raise CallFailed(
                grpc.StatusCode.UNAVAILABLE,
                flight.given_up,
                self,
                "gone",
                reached=flight.reached,
                given_up=True,
            ) from None

    def _failed(self, flight: Flight, error: grpc.aio.AioRpcError) -> CallFailed:
        details = error.details() or ""
        code, kind = judge(error.code(), details)
        if kind == "gone":
            self._lost(flight, details)
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._timed_out(flight)
        else:
            self._heard_at = monotonic()
            if kind == "busy":
                self._full_until = self._heard_at + _FULL_S
            if flight.work and code in ILL_CODES:
                self._strike(f"{code.name}: {details}")
        return CallFailed(code, details, self, kind, reached=flight.reached)

    def _lost(self, flight: Flight, details: str) -> None:
        """Eject, but leave the other calls alone.

        If the connection broke they fail by themselves; if the server is closing it in good order, calls
        that it took before are still answered. What a former connection met says nothing of this one.
        """
        if self._health.usable and flight.channel is self._channel:
            self._stop_work("unreachable", details)

    def _timed_out(self, flight: Flight) -> None:
        """Find out whether there was any sign of life meanwhile: the server may just be slow."""
        if flight.channel is not self._channel:
            return
        if not self._health.usable:
            self._health.probe_waited()
            self.reopen()  # with the certificates of today, and without an old connection's state
        elif monotonic() - max(flight.began, self._heard_at) >= self._patience_s - _ROUNDING_S:
            self.eject("silent", self._silence())

    def _strike(self, reason: str) -> None:
        if self._health.usable and self._health.strike():
            self.eject("failing", f"too many failures in a row, the last one {reason}")

    def _stop_work(self, why: EjectedFor, details: str) -> None:
        self._health.eject()
        self.ejected_for = why
        fields = {"server": self.address, "reason": why, "details": details}
        log.warning("server ejected", extra={"fields": fields})
        self.reopen()
        self._wake.set()
        self._turned(self)

    def _silence(self) -> str:
        return f"no answer for {self._patience_s:g} s"

    def _look_at(self, due: float) -> None:
        delay_s = max(0.0, due - monotonic())
        self._watch = asyncio.get_running_loop().call_later(delay_s, self._look, due)

    def _look(self, due: float) -> None:
        """Eject the server if nothing came from it for as long as something was asked of it."""
        self._watch = None
        if not self._flights or not self.usable:
            return  # the next call sets the timer again
        now = monotonic()
        if now - due > _OVERSLEPT_S:
            self._heard_at = now
        quiet_since = max(next(iter(self._flights)).began, self._heard_at)
        if now - quiet_since >= self._patience_s - _ROUNDING_S:
            self.eject("silent", self._silence())
        else:
            self._look_at(quiet_since + self._patience_s)

    @staticmethod
    def _give_up(flight: Flight, reason: str) -> None:
        flight.given_up = reason
        flight.rpc.cancel()

    def _land(self, flight: Flight) -> None:
        if flight in self._flights:
            del self._flights[flight]
            if flight.channel is not self._channel:
                self._close_if_done(flight.channel)

    def _close_if_done(self, channel: Channel) -> None:
        if not any(flight.channel is channel for flight in self._flights):
            task = asyncio.create_task(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
