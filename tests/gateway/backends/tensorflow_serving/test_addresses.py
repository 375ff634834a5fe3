"""DNS is asked again and again; what it gave last holds for as long as it gives nothing better."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest

from pictor_gateway.backends.tensorflow_serving.addresses import Addresses, ask_dns
from pictor_tfs.targets import parse_targets

PATIENCE_S = 20


class Zone:
    """A name server: answers what it is told, and counts how often it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.fault: OSError | None = None
        self.asked = 0
        self.changes = asyncio.Event()

    async def resolve(self, host: str) -> Sequence[IPv4Address | IPv6Address]:
        """Answer, or fail."""
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return [ip_address(address) for address in self.addresses]

    async def changed(self) -> None:
        """Wait for the next change."""
        async with asyncio.timeout(PATIENCE_S):
            await self.changes.wait()
        self.changes.clear()

    async def asked_again(self) -> None:
        """Wait until two more questions were answered: the first may have been under way."""
        seen = self.asked
        async with asyncio.timeout(PATIENCE_S):
            while self.asked < seen + 2:  # noqa: ASYNC110 - counts, where an event would only say once
                await asyncio.sleep(0.001)


def follow(
    zone: Zone,
    targets: str,
    scenario: Callable[[Addresses], Coroutine[Any, Any, None]],
    interval_s: float = 0.01,
) -> None:
    """Run `scenario` on the addresses behind `targets`."""

    async def run() -> None:
        addresses = Addresses(parse_targets(targets), interval_s, zone.changes.set, zone.resolve)
        addresses.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await addresses.resolved.wait()
            await scenario(addresses)
        finally:
            await addresses.close()

    asyncio.run(run())


def texts(addresses: Addresses) -> list[str]:
    """Return what people see."""
    return [address.text for address in addresses.now]


def test_a_name_stands_for_all_its_addresses() -> None:
    """Beside those that were set as they are; one that comes twice counts once."""

    async def scenario(addresses: Addresses) -> None:
        assert ["10.0.0.9:8500", "10.0.0.1:7", "10.0.0.2:7"] == texts(addresses)
        assert ["", "tfs", "tfs"] == [address.host for address in addresses.now]

    follow(Zone("10.0.0.2", "10.0.0.1"), "10.0.0.9,tfs:7,10.0.0.1:7,tfs.:7", scenario)


def test_addresses_come_and_go_with_dns() -> None:
    """And whoever wants to know is told."""
    zone = Zone("10.0.0.1")

    async def scenario(addresses: Addresses) -> None:
        await zone.changed()
        zone.addresses = ("10.0.0.1", "10.0.0.2")
        await zone.changed()
        assert ["10.0.0.1:8500", "10.0.0.2:8500"] == texts(addresses)
        zone.addresses = ("10.0.0.2",)
        await zone.changed()
        assert ["10.0.0.2:8500"] == texts(addresses)

    follow(zone, "tfs", scenario)


@pytest.mark.parametrize("fault", [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), None])
def test_a_failing_dns_keeps_the_addresses_and_says_so_once(
    fault: OSError | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its trouble says nothing about the servers; an answer without any address is trouble, too."""
    zone = Zone("10.0.0.1")
    caplog.set_level(logging.INFO, "pictor.tfs")

    async def scenario(addresses: Addresses) -> None:
        zone.fault, zone.addresses = fault, ()
        await zone.asked_again()
        await zone.asked_again()
        assert ["10.0.0.1:8500"] == texts(addresses)
        assert () == addresses.troubles  # there are servers to ask
        zone.fault, zone.addresses = None, ("10.0.0.1",)
        await zone.asked_again()

    follow(zone, "tfs", scenario)
    assert ["DNS gives no address", "DNS answers again"] == [record.message for record in caplog.records]


def test_a_surprise_does_not_end_the_asking(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next question is asked."""
    zone = Zone()

    async def broken(host: str) -> Sequence[IPv4Address]:
        zone.asked += 1
        raise UnicodeError("a label that is too long")

    zone.resolve = broken  # type: ignore[method-assign] - a resolver with a bug

    async def scenario(addresses: Addresses) -> None:
        await zone.asked_again()
        assert [] == texts(addresses)

    follow(zone, "tfs", scenario)
    assert "asking DNS failed" in caplog.text


def test_a_name_is_asked_again_at_once_when_somebody_wants_it() -> None:
    """The interval is for quiet times; a name that has given no address yet is asked without being told."""
    zone = Zone("10.0.0.1")

    async def scenario(addresses: Addresses) -> None:
        zone.changes.clear()
        zone.addresses = ("10.0.0.2",)
        for _ in range(100):
            addresses.ask_again()
        await zone.changed()
        assert ["10.0.0.2:8500"] == texts(addresses)
        assert 2 == zone.asked

    follow(zone, "tfs", scenario, interval_s=3600)


def test_a_name_without_addresses_is_asked_soon_again() -> None:
    """A headless Service's name appears only when its first pod is ready."""
    zone = Zone()

    async def scenario(addresses: Addresses) -> None:
        assert ("DNS gives no address for tfs (an empty answer).",) == addresses.troubles
        zone.changes.clear()
        zone.addresses = ("10.0.0.1",)
        await zone.changed()
        assert () == addresses.troubles
        assert ["10.0.0.1:8500"] == texts(addresses)

    follow(zone, "tfs", scenario, interval_s=3600)


def test_of_two_families_only_ipv4_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dual-stack Service gives each pod twice."""
    both = {"both": ["fd00::1", "10.0.0.1", "10.0.0.1", "fd00::2"], "six": ["fd00::1", "fe80::1%lo"]}

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0)) for address in both[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert [IPv4Address("10.0.0.1")] == asyncio.run(ask_dns("both"))
    assert {IPv6Address("fd00::1"), IPv6Address("fe80::1")} == set(asyncio.run(ask_dns("six")))


def test_the_system_resolves_localhost() -> None:
    """The real resolver, without a network."""
    assert [IPv4Address("127.0.0.1")] == list(asyncio.run(ask_dns("localhost")))
