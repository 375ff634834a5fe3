"""Which URLs are followed: those of the operator's hosts, and no trick makes another one look like them."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from gateway.web import HOST, PUBLIC, Dns, Wire, fetch_one, giving
from pictor_gateway.errors import UrlRefused
from pictor_gateway.fetching.allowed_urls import AllowedHosts
from pictor_gateway.fetching.fetch import HttpsFetcher
from pictor_gateway.fetching.links import fetcher_from
from pictor_gateway.settings import InvalidSettings, Settings

ServeSite = Callable[..., Any]


@pytest.mark.parametrize(
    "url",
    [
        "HTTPS://PICTURES.EXAMPLE/a",
        "https://pictures.example.:443/a",
        "https://pictures.example",
        "https://pictures.example?a=b",
        "https://pictures.example/a#fragment",
    ],
)
def test_one_host_may_be_written_in_several_ways(serve_site: ServeSite, url: str) -> None:
    """In large letters, with the dot at its end, with https's own port."""
    with serve_site(giving(b"pixels")) as site:
        assert b"pixels" == site.fetch(url)


def test_a_name_beyond_ascii_is_compared_as_dns_knows_it(serve_site: ServeSite) -> None:
    """In the list as in the URL."""
    with serve_site(giving(b"pixels"), "xn--bcher-kva.example") as site:
        assert b"pixels" == site.fetch("https://Bücher.example/a", hosts="xn--bcher-kva.example")
        assert b"pixels" == site.fetch("https://xn--bcher-kva.example/a", hosts="bücher.example")


@pytest.mark.parametrize(
    "url",
    [
        "http://pictures.example/a",
        "ftp://pictures.example/a",
        "file:///etc/passwd",
        "//pictures.example/a",
        "pictures.example/a",
        "https:pictures.example/a",
        "https:///pictures.example/a",
        "",
        "https://",
        "https://pictures.example:8443/a",
        "https://pictures.example:80/a",
        "https://pictures.example:0443/a",
        "https://pictures.example:/a",
        "https://user@pictures.example/a",
        "https://user:secret@pictures.example/a",
        "https://pictures.example@evil.example/a",
        "https://pictures.example\\@evil.example/a",
        "https://evil.example\\.pictures.example/a",
        "https://evil.example/pictures.example",
        "https://evil.example?pictures.example",
        "https://evil.example#pictures.example",
        "https://sub.pictures.example/a",
        "https://pictures.example.evil.example/a",
        "https://pictures.example../a",
        "https://.pictures.example/a",
        "https://pictures.example%00.evil.example/a",
        "https://pictures%2eexample/a",
        "https://pictures.example\t/a",
        "https://pictures.example /a",
        " https://pictures.example/a",
        "https://pictures.example/a b",
        "https://pictures.example/a\r\nHost: evil",
        "https://pictures.example/\x00",
        "https://pictures.example/ä",
        "https://ⓟictures.example/a",
        "https://pictures\u2024example/a",
        "https://93.184.215.14/a",
        "https://127.0.0.1/a",
        "https://127.1/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://0x7f.1/a",
        "https://[::1]/a",
        "https://[::ffff:93.184.215.14]/a",
        "https://localhost/a",
        "https://" + "a" * 300 + "/",
        "https://pictures.example/" + "a" * 5000,
    ],
)
def test_any_other_url_is_refused_before_anybody_is_asked(url: str) -> None:
    """Neither DNS nor any server hears of it."""
    dns, wire = Dns([PUBLIC]), Wire(1)
    fetcher = HttpsFetcher(AllowedHosts.listed((HOST,)), 30, ssl.create_default_context(), dns, wire)
    with pytest.raises(UrlRefused):
        asyncio.run(fetch_one(fetcher, url, 1000))
    assert ([], []) == (dns.questions, wire.asked)


@pytest.mark.parametrize(
    "entry", ["10.0.0.1", "*.example", "https://pictures.example", "a:443", "a b", "::1"]
)
def test_a_list_with_something_else_than_names_stops_the_start(entry: str) -> None:
    """It would never match, or match what the operator did not mean."""
    with pytest.raises(InvalidSettings, match="--url-hosts"):
        Settings.load({"url_hosts": f"pictures.example,{entry}"}, {})


@pytest.mark.parametrize("hosts", [None, "", " , "])
def test_without_a_list_nothing_is_fetched(hosts: str | None) -> None:
    """The feature is off."""
    assert fetcher_from(Settings.load({"url_hosts": hosts}, {})) is None


def test_with_a_list_pictures_are_fetched_as_the_settings_say() -> None:
    """Checked against public authorities, and the system's own addresses."""
    fetcher = fetcher_from(Settings.load({"url_hosts": "a.example, B.example."}, {}))
    assert isinstance(fetcher, HttpsFetcher)
    assert {"a.example", "b.example"} == fetcher._hosts.names
    assert (ssl.CERT_REQUIRED, True) == (fetcher._trusted.verify_mode, fetcher._trusted.check_hostname)
