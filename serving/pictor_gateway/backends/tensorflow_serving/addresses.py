"""The addresses behind the targets: DNS names are asked for again and again, and what they give is kept."""

import asyncio
import logging
import socket
from asyncio import Event, Task
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from pictor_tfs.targets import Address, DnsName, IpAddress, Target, preferred

log = logging.getLogger("pictor.tfs")

_SOON_S = 0.5
"""Pause between two questions while a name has given no address yet (a headless Service's name exists only
once a pod is ready), and the least pause however often somebody asks."""

Resolve = Callable[[str], Awaitable[Sequence[IpAddress]]]
"""Return a name's addresses, or raise OSError."""


async def ask_dns(host: str) -> Sequence[IpAddress]:
    """Ask the system's resolver, in a thread."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return preferred(str(entry[4][0]) for entry in found)


class Addresses:
    """What all targets stand for now. `changed` is called, on the loop, when that or a trouble changes."""

    def __init__(
        self,
        targets: Sequence[Target],
        interval_s: float,
        changed: Callable[[], None],
        resolve: Resolve = ask_dns,
    ) -> None:
        self._targets = targets
        self._interval_s = interval_s
        self._changed = changed
        self._resolve = resolve
        self._known: dict[Target, tuple[Address, ...]] = {
            target: () if isinstance(target, DnsName) else (target,) for target in targets
        }
        self._faults: dict[DnsName, str] = {}
        self._unasked = {target for target in targets if isinstance(target, DnsName)}
        self._wanted: dict[DnsName, Event] = {name: Event() for name in self._unasked}
        self._asking: list[Task[None]] = []
        self.resolved = Event()
        """Set once every name was asked for the first time, whatever came of it."""

    @property
    def now(self) -> tuple[Address, ...]:
        """Every address, in the order of the targets; one that two targets give counts once."""
        found: dict[str, Address] = {}
        for target in self._targets:
            for address in self._known[target]:
                found.setdefault(address.uri, address)
        return tuple(found.values())

    @property
    def troubles(self) -> tuple[str, ...]:
        """A sentence for each name that stands for nothing."""
        return tuple(
            f"DNS gives no address for {name.host} ({reason})."
            for name, reason in self._faults.items()
            if not self._known[name]
        )

    def start(self) -> None:
        """Begin to ask; return at once."""
        if not self._unasked:
            self.resolved.set()
        self._asking = [
            asyncio.create_task(self._follow(name), name=f"pictor-dns-{name.host}") for name in self._wanted
        ]

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def ask_again(self) -> None:
        """Ask soon instead of after the interval: a server has just failed, it may have moved."""
        for wanted in self._wanted.values():
            wanted.set()

    async def _follow(self, name: DnsName) -> None:
        wanted = self._wanted[name]
        while True:
            wanted.clear()
            await self._ask(name)
            self._unasked.discard(name)
            if not self._unasked:
                self.resolved.set()
            least_s = min(_SOON_S, self._interval_s)
            await asyncio.sleep(least_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s - least_s if self._known[name] else 0):
                    await wanted.wait()

    async def _ask(self, name: DnsName) -> None:
        try:
            given = await self._resolve(name.host)
        except OSError as error:
            self._note_fault(name, error.strerror or str(error) or type(error).__name__)
            return
        except Exception:  # this task's own door: one surprise must not end the asking for good
            log.exception("asking DNS failed")
            return
        addresses = tuple(sorted((name.at(one) for one in given), key=lambda address: address.text))
        if not addresses:
            self._note_fault(name, "an empty answer")
            return
        if self._faults.pop(name, None) is not None:
            log.info("DNS answers again", extra={"fields": {"host": name.host}})
        if addresses != self._known[name]:
            self._known[name] = addresses
            self._changed()

    def _note_fault(self, name: DnsName, reason: str) -> None:
        """Keep the addresses there are: a resolver in trouble says nothing about the servers."""
        if self._faults.get(name) != reason:
            self._faults[name] = reason
            fields = {"host": name.host, "reason": reason, "kept": len(self._known[name])}
            log.warning("DNS gives no address", extra={"fields": fields})
            self._changed()
