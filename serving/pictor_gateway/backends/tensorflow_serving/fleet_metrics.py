"""The servers' states as metrics, read at each scrape: a server's series end when it leaves."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.server import Server


class FleetCollector(Collector):
    """Register it once for each fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples."""
        return self._families(())

    def collect(self) -> Iterable[Metric]:
        """Return what holds now."""
        return self._families(self._fleet.servers)

    def _families(self, servers: Sequence[Server]) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "pictor_server_up",
            "1 while a TensorFlow Serving server is given work, 0 while it is ejected.",
            labels=["server"],
        )
        inflight = GaugeMetricFamily(
            "pictor_server_calls_inflight",
            "Calls under way on a server, polls not counted.",
            labels=["server"],
        )
        for server in servers:
            up.add_metric([server.address], float(server.usable))
            inflight.add_metric([server.address], server.busy)
        return (up, inflight)
