"""TensorFlow Serving's own metrics in ours: fetched from every server when ours are asked for."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from time import monotonic
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pictor_gateway.backends.tensorflow_serving.metrics_page import Page, read_page

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("pictor.tfs")

PATH: Final = "/monitoring/prometheus/metrics"

_TIMEOUT_S: Final = 1.0
_FRESH_S: Final = 1.0
_MAX_BYTES: Final = 4 << 20
_HTTP_OK: Final = 200


class PageRefused(Exception):
    """The answer is no page of metrics, or too large a one."""


class ServedMetrics(Collector):
    """The servers' last pages under legal names, with the label `server`.

    `refresh` before each scrape, `close` at the end. A server that does not answer has `tfserving_scrape_up`
    0 and nothing else.
    """

    def __init__(self, port: int, models: Collection[str], fresh_s: float = _FRESH_S) -> None:
        self._port = port
        self._models = frozenset(models)
        self._fresh_s = fresh_s
        self._pages: Mapping[str, Page | None] = {}
        self._refreshing = asyncio.Lock()
        self._refreshed = -fresh_s
        self._client: httpx.AsyncClient | None = None

    async def refresh(self, servers: Sequence[str]) -> None:
        """Fetch the pages of the servers at these gRPC addresses; what is younger than `fresh_s` stays."""
        async with self._refreshing:
            if monotonic() - self._refreshed < self._fresh_s:
                return
            known = sorted({server for server in servers if not server.startswith("unix:")})
            pages = await asyncio.gather(*(self._page(server) for server in known))
            self._pages = dict(zip(known, pages, strict=True))
            self._refreshed = monotonic()

    async def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def describe(self) -> Iterable[Metric]:
        """Return nothing: which families there are is known once a server has answered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return what the servers last said."""
        up = GaugeMetricFamily(
            "tfserving_scrape_up", "1 if the server's page of metrics could be read.", labels=["server"]
        )
        dropped = GaugeMetricFamily(
            "tfserving_scrape_dropped_samples",
            "Samples of the page left out because it had too many.",
            labels=["server"],
        )
        families: dict[str, Metric] = {}
        for server, page in self._pages.items():
            up.add_metric([server], page is not None)
            if page is None:
                continue
            dropped.add_metric([server], page.dropped)
            for one in page.samples:
                known = one.family
                family = families.setdefault(known.name, Metric(known.name, known.help, known.kind))
                family.add_sample(one.name, {"server": server, **one.labels}, one.value)
        return (up, dropped, *families.values())

    async def _page(self, server: str) -> Page | None:
        import httpx  # noqa: PLC0415 - megabytes that only this feature needs

        try:
            async with asyncio.timeout(_TIMEOUT_S):
                body = await self._fetch(f"http://{_host(server)}:{self._port}{PATH}")
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, PageRefused) as error:
            log.debug("metrics of %s cannot be read: %r", server, error)
            return None
        return await asyncio.to_thread(read_page, body.decode(errors="replace"), self._models)

    async def _fetch(self, url: str) -> bytes:
        if self._client is None:
            self._client = _open_client()
        body = bytearray()
        async with self._client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
            if answer.status_code != _HTTP_OK:
                raise PageRefused(f"status {answer.status_code}; --monitoring_config_file may be missing")
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _MAX_BYTES:
                    raise PageRefused(f"more than {_MAX_BYTES} bytes")
        return bytes(body)


def _open_client() -> "httpx.AsyncClient":
    import httpx  # noqa: PLC0415 - as above

    # The page has no TLS: a context that trusts nobody spares loading every public authority.
    return httpx.AsyncClient(trust_env=False, verify=SSLContext(PROTOCOL_TLS_CLIENT))


def _host(server: str) -> str:
    host, colon, port = server.rpartition(":")
    return host if colon and port.isdecimal() else server
