"""The metrics of the servers behind a backend, shown beside ours."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry

from pictor_gateway.backends.protocol import Backend
from pictor_gateway.backends.tensorflow_serving.exported_metrics import ServedMetrics
from pictor_gateway.settings import Settings


@runtime_checkable
class HasServers(Protocol):
    """What a backend has besides if its models run on servers elsewhere."""

    @property
    def servers(self) -> Sequence[str]:
        """Addresses of all servers known now."""


class ServerMetrics:
    """Asks a backend's servers for their metrics; `refresh` before ours are shown, `close` at the end."""

    def __init__(self, backend: HasServers, served: ServedMetrics) -> None:
        self._backend = backend
        self._served = served

    async def refresh(self) -> None:
        """Ask all servers known now."""
        await self._served.refresh(self._backend.servers)

    async def close(self) -> None:
        """Give the connections back."""
        await self._served.close()


def server_metrics_from(
    settings: Settings, backend: Backend, registry: CollectorRegistry
) -> ServerMetrics | None:
    """Return what the settings ask for, registered; None if nobody asks, or there is no server."""
    if settings.tfs_metrics_port is None or not isinstance(backend, HasServers):
        return None
    served = ServedMetrics(settings.tfs_metrics_port, settings.model_names)
    registry.register(served)
    return ServerMetrics(backend, served)
