"""Resolve a name, look at every address it has, and connect to one that was looked at: in one place, once.

A second question to DNS between the look and the connection could be answered differently, on purpose.
"""

import asyncio
import logging
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, Self

import httpcore

from pictor_gateway.errors import UrlFetchFailed, UrlRefused
from pictor_gateway.fetching.public_address import is_public

log = logging.getLogger("pictor.fetch")

AT_ONCE = 16
"""Pictures fetched at the same time, by all requests together."""

HTTPS_PORT = 443
_MOST_TRIES = 3
"""Addresses of one name that are tried in turn."""

_TRY_S = 1.5
"""Seconds for each but the last of them."""


class Resolver(Protocol):
    """Knows the addresses of names."""

    async def __call__(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`, the best first."""

    def close(self) -> None:
        """Give its threads back."""


class SystemResolver:
    """Asks the system, in threads of its own: those that wait for a dead DNS server hold up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pictor-resolve")

    async def __call__(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`.

        Raises:
            UrlFetchFailed: it has none.
        """
        absolute = f"{host}.".encode()  # the dot keeps the cluster's own search domains out of it
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads, lambda: socket.getaddrinfo(absolute, HTTPS_PORT, type=socket.SOCK_STREAM)
            )
        except OSError as error:
            raise UrlFetchFailed(f"No address of {host} could be found.") from error
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    def close(self) -> None:
        """Give the threads back; those that wait for DNS end with its answer, which nobody waits for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """The network of one fetch. What it opened is closed at its end, however that comes."""

    def __init__(self, resolve: Resolver, connector: httpcore.AsyncNetworkBackend) -> None:
        self._resolve = resolve
        self._connector = connector
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        await self._opened.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to an address of `host`.

        Raises:
            UrlRefused: one of its addresses is not public; then the others are not trusted either.
        """
        addresses = await self._resolve(host)
        if not addresses or not all(map(is_public, addresses)):
            log.warning(
                "host has an address that is not public",
                extra={"fields": {"host": host, "addresses": list(addresses)}},
            )
            raise UrlRefused(f"{host} does not lead to a public address.")
        *earlier, last = addresses[:_MOST_TRIES]
        for address in earlier:
            try:
                return await self._open(address, port, _TRY_S)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                log.debug("address does not answer", extra={"fields": {"host": host, "address": address}})
        return await self._open(last, port, None)

    async def _open(self, address: str, port: int, timeout_s: float | None) -> httpcore.AsyncNetworkStream:
        stream = await self._connector.connect_tcp(address, port, timeout=timeout_s)
        self._opened.push_async_callback(stream.aclose)
        return stream
