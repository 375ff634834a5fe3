"""Pictures by URL in a request: answered like any other, refused in their own place."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trustme
from prometheus_client import CollectorRegistry

from gateway.fakes import FakeBackend, FakeModel
from gateway.web import URL, Site, answering, endless, giving, trickling
from pictor_gateway import Settings, app
from pictor_gateway.gateway import gateway_in

MakeGateway = Callable[..., Any]
MakePicture = Callable[..., bytes]
ServeSite = Callable[..., Any]
GatewayOf = Callable[..., httpx.Client]


@pytest.fixture(name="gateway_of")
def _gateway_of(make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., httpx.Client]:
    """Make a gateway that fetches from a site: `gateway_of(site)`."""

    def make(site: Site, **settings: Any) -> httpx.Client:
        monkeypatch.setattr(app, "fetcher_from", lambda _: site.fetcher())
        client: httpx.Client = make_gateway(**settings).http
        return client

    return make


def _classify(http: httpx.Client, *urls: str, **more: Any) -> httpx.Response:
    body = {"images": [{"url": url} for url in urls]} if len(urls) > 1 else {"image": {"url": urls[0]}}
    return http.post("/v1/classify", json=body, **more)


def test_a_fetched_picture_is_answered_like_any_other(
    gateway_of: GatewayOf, serve_site: ServeSite, picture: MakePicture
) -> None:
    """The time it took counts as reading."""
    with serve_site(giving(picture())) as site:
        answer = _classify(gateway_of(site), URL).raise_for_status().json()
    assert ("PNG", "röd") == (answer["image"]["format"], answer["predictions"][0]["label"])
    assert answer["timings_ms"]["read"] > 0


def test_each_picture_that_cannot_be_had_is_an_error_in_its_place(
    gateway_of: GatewayOf, serve_site: ServeSite, picture: MakePicture
) -> None:
    """The others are answered."""
    with serve_site(giving(picture())) as site:
        http = gateway_of(site)
        body = {"images": [{"url": URL}, {"url": "https://evil.example/"}, {"b64": "?"}, {"url": URL}]}
        results = http.post("/v1/classify", json=body).raise_for_status().json()["results"]
    codes = [result.get("error", {}).get("code") for result in results]
    assert [None, "url_refused", "base64_invalid", None] == codes
    counted = http.get("/metrics").text
    assert 'pictor_pictures_total{format="unknown",result="url_refused"} 1.0' in counted


def test_a_single_picture_that_cannot_be_had_is_the_requests_error(
    gateway_of: GatewayOf, serve_site: ServeSite
) -> None:
    """With the status of its kind."""
    with serve_site(answering("HTTP/1.1 404 Not Found", "Content-Length: 0")) as site:
        http = gateway_of(site)
        answers = [_classify(http, URL), _classify(http, "http://pictures.example/")]
    told = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert [(502, "url_fetch_failed"), (422, "url_refused")] == told


def test_a_picture_larger_than_a_body_may_be_is_refused(gateway_of: GatewayOf, serve_site: ServeSite) -> None:
    """The way does not matter."""
    with serve_site(endless) as site:
        answer = _classify(gateway_of(site, max_body_bytes=50_000), URL)
    assert (413, "picture_too_large") == (answer.status_code, answer.json()["code"])


def test_the_requests_own_deadline_ends_a_fetch(gateway_of: GatewayOf, serve_site: ServeSite) -> None:
    """Before the fetch's own time limit."""
    with serve_site(trickling) as site:
        answer = _classify(gateway_of(site, request_timeout_s=0.2), URL)
    assert (504, "deadline_exceeded") == (answer.status_code, answer.json()["code"])
    assert "'fetch'" in answer.json()["detail"]


def test_too_many_pictures_are_refused_before_one_is_fetched(
    gateway_of: GatewayOf, serve_site: ServeSite
) -> None:
    """Nobody may use the gateway to knock at many doors."""
    seen: list[bytes] = []
    with serve_site(giving(b"pixels", seen=seen)) as site:
        answer = _classify(gateway_of(site, max_pictures_per_request=2), URL, URL, URL)
    assert (413, "too_many_pictures") == (answer.status_code, answer.json()["code"])
    assert [] == seen


@pytest.mark.parametrize("image", [{"url": 5}, {"url": URL, "b64": "aa"}, {"url": URL, "headers": {}}, {}])
def test_anything_else_beside_a_url_is_refused(gateway_of: GatewayOf, image: object) -> None:
    """As a misspelt or unwanted addition."""
    site = Site(1, trustme.CA())
    answer = gateway_of(site).post("/v1/classify", json={"image": image})
    assert (400, "request_malformed") == (answer.status_code, answer.json()["code"])


def test_without_a_list_urls_are_refused_and_no_http_client_is_loaded(http: httpx.Client) -> None:
    """It would take memory that most gateways have no use for."""
    answer = _classify(http, URL)
    assert (422, "url_not_enabled") == (answer.status_code, answer.json()["code"])
    code = "import sys, pictor_gateway.process.server; print({'httpx', 'httpcore'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == told.stdout.strip()


def test_the_resolvers_threads_end_with_the_gateway() -> None:
    """They would outlive it otherwise."""

    async def look_up_after_the_end() -> None:
        settings = Settings.load({"url_hosts": "a.example"}, {})
        gateway = app.create_app(settings, FakeBackend(FakeModel()), CollectorRegistry())
        fetcher: Any = gateway_in(gateway).fetcher
        async with gateway.router.lifespan_context(gateway):
            resolve = fetcher._resolve
        await resolve("a.example")

    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(look_up_after_the_end())
