"""What tests of a roll-out say again and again."""

from typing import Any

from pictor_store.models.model import StoredModel
from pictor_store.serving.servers import Servers
from tfs.stand_in import StandIn

PATIENCE_S = 20.0


def to(*servers: StandIn, timeout_s: float = PATIENCE_S, **more: Any) -> Servers:
    """Name the servers."""
    return Servers(tuple(one.address for one in servers), timeout_s=timeout_s, **more)


def actions(model: StoredModel) -> list[str]:
    """Return what the history tells, without the publishing."""
    return [event.action for event in model.history() if event.action != "published"]
