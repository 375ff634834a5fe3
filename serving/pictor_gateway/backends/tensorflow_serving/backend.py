"""TensorFlow Serving as a backend: versions, labels and contracts are learnt from the servers themselves."""

from asyncio import Event
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from pictor_gateway.backends.protocol import ModelStatus
from pictor_gateway.backends.tensorflow_serving.discovery import Discovery
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.fleet_metrics import FleetCollector
from pictor_gateway.settings import Settings
from pictor_gateway.telemetry.metrics import Metrics


class TensorFlowServingBackend:
    """Serves the models `settings.model` of every server behind `settings.tfs`."""

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, registry: CollectorRegistry | None = None
    ) -> None:
        """Open nothing yet.

        Raises:
            InvalidSettings: the files for TLS cannot be used.
        """
        self._source = f"TensorFlow Serving at {settings.tfs}"
        self._fleet = Fleet(settings, metrics)
        if registry is not None:
            registry.register(FleetCollector(self._fleet))
        self._discovery = Discovery(self._fleet, settings)

    @property
    def source(self) -> str:
        """The servers as configured, for messages."""
        return self._source

    @property
    def servers(self) -> Sequence[str]:
        """Addresses of all servers known now, given work or not."""
        return [server.address for server in self._fleet.servers]

    @property
    def started(self) -> Event:
        """Set once every server was asked, or was not to be found."""
        return self._discovery.started

    async def start(self) -> None:
        """Begin to look for servers and to ask them; return at once."""
        await self._discovery.start()

    async def close(self) -> None:
        """Ask no more, and close the connections."""
        await self._discovery.close()
        await self._fleet.close()

    def models(self) -> Sequence[ModelStatus]:
        """Every configured model, even one that no server has."""
        return self._discovery.models

    async def refresh(self, model: str) -> None:
        """Ask all usable servers now."""
        await self._discovery.refresh(model)

    async def learn_label(self, model: str, label: str) -> None:
        """Ask all usable servers which version has `label`."""
        await self._discovery.learn_label(model, label)
