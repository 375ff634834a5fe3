"""Fetching by https: from the address that was looked at, as much as is allowed, and in time."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trustme

from gateway.web import (
    HOST,
    PUBLIC,
    URL,
    Dns,
    Site,
    Talk,
    Wire,
    answering,
    endless,
    fetch_one,
    giving,
    trickling,
)
from pictor_contract import PictureTooLarge
from pictor_gateway.errors import UrlFetchFailed, UrlRefused
from pictor_gateway.fetching.allowed_urls import AllowedHosts
from pictor_gateway.fetching.fetch import HttpsFetcher
from pictor_gateway.fetching.links import ByteBudget
from pictor_gateway.fetching.public_network import AT_ONCE, SystemResolver

ServeSite = Callable[..., Any]


def test_a_picture_is_fetched_from_the_address_that_was_looked_at(serve_site: ServeSite) -> None:
    """Path and query arrive as they were; no cookie, no credentials, nothing compressed is asked for."""
    seen: list[bytes] = []
    with serve_site(giving(b"pixels", seen=seen)) as site:
        wire = Wire(site.port)
        assert b"pixels" == site.fetch(wire=wire)
    assert [(PUBLIC, 443)] == wire.asked
    head = seen[0].decode().lower()
    assert head.startswith("get /a/picture.png?size=big http/1.1\r\nhost: pictures.example\r\n")
    assert "accept-encoding: identity" in head
    assert not [name for name in ("cookie", "authorization", "traceparent") if name in head]


def test_a_body_without_announced_length_is_fetched_whole(serve_site: ServeSite) -> None:
    """In chunks, or until the connection ends."""
    chunked = answering(
        "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with serve_site(chunked) as site:
        assert b"abcde" == site.fetch()
    with serve_site(answering("HTTP/1.1 200 OK", body=b"until the end")) as site:
        assert b"until the end" == site.fetch()


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1", PUBLIC], [], ["no address"], ["fe80::1%eth0"]],
)
def test_a_name_with_one_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    """Nothing is sent, also not to its other addresses, and the address is not told to the caller."""
    wire = Wire(1)
    fetcher = HttpsFetcher(
        AllowedHosts.listed((HOST,)), 30, ssl.create_default_context(), Dns(addresses), wire
    )
    with pytest.raises(UrlRefused, match="does not lead to a public address") as refused:
        asyncio.run(fetch_one(fetcher, URL, 1000))
    assert [] == wire.asked
    assert not [address for address in addresses if address in str(refused.value)]


def test_dns_is_asked_once_and_cannot_change_its_mind(serve_site: ServeSite) -> None:
    """A second answer, now leading inside, is never asked for; the next fetch sees it and refuses."""
    with serve_site(giving(b"pixels")) as site:
        dns, wire = Dns([PUBLIC], ["169.254.169.254"]), Wire(site.port)

        async def twice() -> None:
            fetcher = site.fetcher(dns=dns, wire=wire)
            assert b"pixels" == await fetcher.fetch(URL, ByteBudget(1000))
            assert [HOST] == dns.questions
            with pytest.raises(UrlRefused):
                await fetcher.fetch(URL, ByteBudget(1000))

        asyncio.run(twice())
    assert [(PUBLIC, 443)] == wire.asked


def test_another_address_is_tried_when_one_does_not_answer(serve_site: ServeSite) -> None:
    """Names of several servers, one of which is down."""
    with serve_site(giving(b"pixels")) as site:
        wire = Wire(site.port, dead=["8.8.8.8"])
        assert b"pixels" == site.fetch(dns=Dns(["8.8.8.8", PUBLIC]), wire=wire)
    assert [("8.8.8.8", 443), (PUBLIC, 443)] == wire.asked


def test_a_redirect_is_not_followed(serve_site: ServeSite) -> None:
    """Also not to the same host."""
    seen: list[bytes] = []
    moved = answering("HTTP/1.1 302 Found", f"Location: https://{HOST}/b", "Content-Length: 0", seen=seen)
    with serve_site(moved) as site, pytest.raises(UrlFetchFailed, match="302; redirects"):
        site.fetch()
    assert 1 == len(seen)


@pytest.mark.parametrize("status", [204, 206, 401, 404, 500])
def test_any_other_status_is_told(serve_site: ServeSite, status: int) -> None:
    """The caller may learn it: the URL is the caller's."""
    talk = answering(f"HTTP/1.1 {status} Whatever", "Content-Length: 0")
    with serve_site(talk) as site, pytest.raises(UrlFetchFailed, match=f"answered {status}"):
        site.fetch()


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_picture_is_refused(serve_site: ServeSite, coding: str) -> None:
    """Few bytes could become very many."""
    talk = giving(b"1234", f"Content-Encoding: {coding}")
    with serve_site(talk) as site, pytest.raises(UrlFetchFailed, match="compressed"):
        site.fetch()


def test_a_body_that_never_ends_is_cut_at_the_limit(serve_site: ServeSite) -> None:
    """Counted as it comes."""
    with serve_site(endless) as site, pytest.raises(PictureTooLarge, match="5000 bytes"):
        site.fetch(most=5000)


@pytest.mark.parametrize("length", ["1001", "9" * 5000])
def test_a_body_that_announces_too_much_is_not_read(serve_site: ServeSite, length: str) -> None:
    """Not a byte of it."""
    talk = answering("HTTP/1.1 200 OK", f"Content-Length: {length}", body=b"x")
    with serve_site(talk) as site, pytest.raises((PictureTooLarge, UrlFetchFailed)):
        site.fetch()


def test_the_limit_holds_for_all_pictures_of_a_request_together(serve_site: ServeSite) -> None:
    """What one could not use, another may."""
    with serve_site(giving(b"x" * 600)) as site:

        async def several() -> None:
            fetcher, budget = site.fetcher(), ByteBudget(1000)
            assert 600 == len(await fetcher.fetch(URL, budget))
            with pytest.raises(PictureTooLarge):
                await fetcher.fetch(URL, budget)
            budget.take(400)

        asyncio.run(several())


def test_a_body_that_breaks_off_is_an_error(serve_site: ServeSite) -> None:
    """Half a picture is none."""
    talk = answering("HTTP/1.1 200 OK", "Content-Length: 100", body=b"x" * 10)
    with serve_site(talk) as site, pytest.raises(UrlFetchFailed, match="broke"):
        site.fetch()


def _silent(connection: ssl.SSLSocket) -> None:
    while connection.recv(1000):
        pass


@pytest.mark.parametrize("talk", [trickling, _silent])
def test_a_server_that_is_too_slow_is_given_up(serve_site: ServeSite, talk: Talk) -> None:
    """However little is missing."""
    with serve_site(talk) as site, pytest.raises(UrlFetchFailed, match=r"within 0\.3 s"):
        site.fetch(timeout_s=0.3)


def test_only_so_many_are_fetched_at_once() -> None:
    """The others wait for their turn, outside their own time limit."""
    asked: list[str] = []

    async def ask_in_vain(host: str) -> Sequence[str]:
        asked.append(host)
        return await asyncio.get_running_loop().create_future()

    async def many() -> None:
        hosts, trusted = AllowedHosts.listed((HOST,)), ssl.create_default_context()
        fetcher = HttpsFetcher(hosts, 30, trusted, ask_in_vain, Wire(1))
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(fetch_one(fetcher, URL, 1000)) for _ in range(AT_ONCE + 5)]
            for _ in range(10):
                await asyncio.sleep(0)  # each task gets as far as it can
            for task in fetching:
                task.cancel()

    asyncio.run(many())
    assert AT_ONCE == len(asked)


def test_a_certificate_of_another_name_is_not_accepted(serve_site: ServeSite) -> None:
    """The address proves nothing, the certificate does."""
    talk = giving(b"pixels")
    with (
        serve_site(talk, "other.example") as site,
        pytest.raises(UrlFetchFailed, match="certificate") as failed,
    ):
        site.fetch()
    assert not [word for word in (PUBLIC, "127.0.0.1", str(site.port)) if word in str(failed.value)]


def test_a_certificate_of_an_unknown_authority_is_not_accepted(serve_site: ServeSite) -> None:
    """Such as one that somebody made for himself."""
    with serve_site(giving(b"pixels")) as site:
        stranger = Site(site.port, trustme.CA())
        with pytest.raises(UrlFetchFailed, match="certificate"):
            stranger.fetch()


def test_what_is_no_http_is_an_error(serve_site: ServeSite) -> None:
    """Whatever else answers there."""
    with serve_site(answering("SSH-2.0-whatever")) as site, pytest.raises(UrlFetchFailed, match="broke"):
        site.fetch()


def test_the_system_is_asked_for_the_very_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dot at its end keeps it from being looked for in the cluster's own domains."""
    asked: list[bytes] = []

    def answer(host: bytes, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", (PUBLIC, 443)), (0, 0, 0, "", ("::1", 443, 0, 0)), (0, 0, 0, "", (PUBLIC, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert [PUBLIC, "::1"] == asyncio.run(_resolve(SystemResolver(), HOST))
    assert [b"pictures.example."] == asked


def test_a_name_that_does_not_exist_is_an_error_of_the_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of the gateway."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UrlFetchFailed, match="No address of pictures"):
        asyncio.run(_resolve(SystemResolver(), HOST))


async def _resolve(resolve: SystemResolver, host: str) -> Sequence[str]:
    return await resolve(host)
