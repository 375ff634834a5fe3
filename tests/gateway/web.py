"""A web server on loopback that talks as it is told, and what leads a fetcher there instead of outside."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import httpcore
import httpx
import trustme

from pictor_gateway.fetching.allowed_urls import AllowedHosts
from pictor_gateway.fetching.fetch import HttpsFetcher
from pictor_gateway.fetching.links import ByteBudget

HOST = "pictures.example"
URL = f"https://{HOST}/a/picture.png?size=big"
PUBLIC = "93.184.215.14"
"""A public address; nothing is ever sent there."""

Talk = Callable[[ssl.SSLSocket], None]


def answering(*lines: str, body: bytes = b"", seen: list[bytes] | None = None) -> Talk:
    """Answer each request with these lines of a head, and `body`."""

    def talk(connection: ssl.SSLSocket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        if seen is not None:
            seen.append(head)
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)

    return talk


def giving(body: bytes, *headers: str, seen: list[bytes] | None = None) -> Talk:
    """Answer each request with 200 and `body`."""
    return answering("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, body=body, seen=seen)


def endless(connection: ssl.SSLSocket) -> None:
    """Send a body that has no end."""
    answering("HTTP/1.1 200 OK")(connection)
    while True:
        connection.sendall(b"x" * 1000)


def trickling(connection: ssl.SSLSocket) -> None:
    """Send a byte of the body, and no more."""
    answering("HTTP/1.1 200 OK", "Content-Length: 100", body=b"x")(connection)
    connection.recv(1)  # until the other side hangs up


class Wire(httpcore.AsyncNetworkBackend):
    """Leads every address to the test's own server, and remembers which were asked for."""

    def __init__(self, port: int, dead: Sequence[str] = ()) -> None:
        self.asked: list[tuple[str, int]] = []
        self._port = port
        self._dead = dead

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        *_: object,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the test's server."""
        self.asked.append((host, port))
        if host in self._dead:
            raise httpcore.ConnectError
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self._port, timeout=timeout)


class Dns:
    """Answers each question about a name with the next list; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.questions: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        """Answer."""
        self.questions.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def close(self) -> None:
        """Have nothing to give back."""


class Site:
    """An https server on loopback that talks as it is told, and fetchers that find it."""

    def __init__(self, port: int, authority: trustme.CA) -> None:
        self.port = port
        self._trusted = ssl.create_default_context()
        authority.configure_trust(self._trusted)

    def fetcher(
        self, dns: Dns | None = None, wire: Wire | None = None, timeout_s: float = 30, hosts: str = HOST
    ) -> HttpsFetcher:
        """Return a fetcher for which every public address is this server."""
        return HttpsFetcher(
            AllowedHosts.listed((hosts,)),
            timeout_s,
            self._trusted,
            dns or Dns([PUBLIC]),
            wire or Wire(self.port),
        )

    def fetch(self, url: str = URL, most: int = 1000, **how: Any) -> bytes:
        """Fetch one picture."""
        return asyncio.run(fetch_one(self.fetcher(**how), url, most))


async def fetch_one(fetcher: HttpsFetcher, url: str, most: int) -> bytes:
    """Fetch one picture."""
    return await fetcher.fetch(url, ByteBudget(most))


@contextmanager
def serving(talk: Talk, authority: trustme.CA, name: str) -> Iterator[Site]:
    """Serve on loopback, with a certificate for `name`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            """Talk."""
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
                talk(connection)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield Site(server.server_address[1], authority)
        finally:
            server.shutdown()
            thread.join()


def refuses(address: str) -> bool:
    """Whether nobody takes connections at `address` any more."""
    try:
        httpx.get(address)
    except httpx.TransportError:
        return True
    return False
