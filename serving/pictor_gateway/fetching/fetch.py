"""Fetch one picture by https, from a public address only. Imported only where an operator lists hosts."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from importlib.metadata import version

import httpcore
import httpx

from pictor_gateway.errors import UrlFetchFailed
from pictor_gateway.fetching.allowed_urls import AllowedHosts, AllowedUrl
from pictor_gateway.fetching.links import ByteBudget
from pictor_gateway.fetching.public_network import (
    AT_ONCE,
    HTTPS_PORT,
    PublicNetwork,
    Resolver,
    SystemResolver,
)
from pictor_gateway.request.length import length_in
from pictor_gateway.settings import Settings, listed

log = logging.getLogger("pictor.fetch")

_OK = 200
_REDIRECTS = range(300, 400)


class HttpsFetcher:
    """Follows no redirect, sends no cookie and no credentials, and heeds nothing that the environment says.

    Each fetch has a connection of its own, so that each is preceded by a look at the address it leads to.
    """

    def __init__(
        self,
        hosts: AllowedHosts,
        timeout_s: float,
        trusted: ssl.SSLContext,
        resolve: Resolver,
        connector: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._trusted = trusted
        self._resolve = resolve
        self._connector = connector
        self._places = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str, budget: ByteBudget) -> bytes:
        """Return the picture's bytes, taken from `budget`.

        Raises:
            UrlRefused: nobody goes there.
            UrlFetchFailed: its server did not give it, or not in time.
            PictureTooLarge: it has more bytes than are left.
        """
        allowed = self._hosts.check(url)
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._get(allowed, budget)
            except TimeoutError as error:
                text = f"{allowed.host} did not give the picture within {self._timeout_s:g} s."
                raise UrlFetchFailed(text) from error
            except _BROKEN as error:
                fields = {"host": allowed.host, "error": repr(error)}
                log.info("picture not fetched", extra={"fields": fields})
                raise UrlFetchFailed(_broken_text(allowed.host, error)) from error

    def close(self) -> None:
        """Give the resolver's threads back."""
        self._resolve.close()

    async def _get(self, allowed: AllowedUrl, budget: ByteBudget) -> bytes:
        host = allowed.host.encode()
        url = httpcore.URL(scheme=b"https", host=host, port=HTTPS_PORT, target=allowed.target.encode())
        request = httpcore.Request("GET", url, headers=_headers(host))
        async with PublicNetwork(self._resolve, self._connector) as network:
            connection = httpcore.AsyncHTTPConnection(
                url.origin, ssl_context=self._trusted, network_backend=network
            )
            async with aclosing(connection):
                response = await connection.handle_async_request(request)
                return await _read(response, allowed.host, budget)


_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


def https_fetcher(settings: Settings) -> HttpsFetcher:
    """Return a fetcher as the settings say, with public certificate authorities."""
    return HttpsFetcher(
        AllowedHosts.listed(listed(settings.url_hosts)),
        settings.url_timeout_s,
        httpx.create_ssl_context(trust_env=False),
        SystemResolver(),
        httpcore.AnyIOBackend(),
    )


async def _read(response: httpcore.Response, host: str, budget: ByteBudget) -> bytes:
    if response.status in _REDIRECTS:
        raise UrlFetchFailed(
            f"{host} answered {response.status}; redirects are not followed. Send the URL that it leads to."
        )
    if response.status != _OK:
        raise UrlFetchFailed(f"{host} answered {response.status}.")
    headers = {name.lower(): value for name, value in response.headers}
    _check_coding(headers, host)
    announced = length_in(headers.get(b"content-length", b"").decode("latin-1"))
    if announced is not None:
        budget.check(announced)
    chunks: list[bytes] = []
    try:
        async with aclosing(response):
            async for chunk in response.aiter_stream():
                budget.take(len(chunk))
                chunks.append(chunk)
    except BaseException:
        budget.give_back(sum(map(len, chunks)))
        raise
    return b"".join(chunks)


def _check_coding(headers: Mapping[bytes, bytes], host: str) -> None:
    """Refuse compressed bytes: nobody asked for them, and a few of them may become very many."""
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise UrlFetchFailed(f"{host} sent the picture compressed, which nobody had asked for.")


def _headers(host: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", host),
        (b"User-Agent", f"pictor/{version('pictor')}".encode()),
        (b"Accept", b"image/*, application/octet-stream;q=0.5"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]


def _broken_text(host: str, error: Exception) -> str:
    """Say what a caller may know: which host, and whether its certificate is at fault; never an address."""
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return f"No secure connection to {host} could be made; its certificate must be valid for that name."
    return f"The connection to {host} could not be made, or broke."
