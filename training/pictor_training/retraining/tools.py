"""What the job needs done by others; tests put small stand-ins in their place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers, Tls
from pictor_training.plan import Plan
from pictor_training.retraining.champions import Answering, answers_by_onnx, store_errors
from pictor_training.retraining.config import PublishConfig
from pictor_training.retraining.gate.champion import Champion
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.verdict import Verdict

if TYPE_CHECKING:
    from pictor_training.release import Exported, Release

Ask = Callable[["Exported", Sequence[Champion], GateConfig, Callable[[int], Path]], Verdict]
"""The gate. The last argument names the file of a row of the prepared data."""

Train = Callable[[Plan, "Release"], object]
"""Carry out a plan, and call the release when there is something to release."""

Promote = Callable[[StoredModel, int, str, Servers, str], object]
"""Let a label name a version, on the servers first; the last argument is the reason."""

Sync = Callable[[str, Servers], None]
"""Let the servers serve what the store's history says."""

Prune = Callable[[StoredModel, int, Servers], object]
"""Take away all but the newest so many versions, and those that are needed."""


class Reading(Protocol):
    """What gateways said about drift."""

    @property
    def drifted(self) -> bool:
        """Whether there is a reason to retrain."""

    def sentence(self) -> str:
        """Say it in words."""


Drifted = Callable[[Sequence[str], str, float, float], Reading]
"""Gateways, model name, threshold, seconds to wait."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The real ones, unless told otherwise."""

    train: Train
    ask: Ask
    answering: Answering
    promote: Promote
    prune: Prune
    sync: Sync
    drifted: Drifted


def real_tools() -> Tools:
    """Return what `pictor retrain` works with; each is imported when it is first used."""
    return Tools(_train, _ask, answers_by_onnx, _promote, _prune, _sync, _drifted)


def open_model(where: str, name: str) -> StoredModel:
    """Return the model in the store, which may have no versions yet.

    Raises:
        StoreFailed: the store's URL cannot be used.
    """
    with store_errors():
        return open_store(where).model(name)


def servers_of(publish: PublishConfig) -> Servers:
    """Return the TensorFlow Servings to tell, perhaps none.

    Raises:
        StoreFailed: an address is none.
    """
    files = (publish.tls_ca_file, publish.tls_cert_file, publish.tls_key_file)
    ca, cert, key = (None if name is None else Path(name) for name in files)
    with store_errors():
        return Servers(
            addresses=publish.tfs or "",
            config_file=None if publish.models_config is None else Path(publish.models_config),
            base_path=publish.base_path,
            timeout_s=publish.timeout_s,
            tls=Tls(ca, cert, key) if any(files) else None,
        )


def _train(plan: Plan, release: "Release") -> object:
    from pictor_training.launch import launch  # noqa: PLC0415 - see real_tools

    return launch(plan, release)


def _ask(
    exported: "Exported", champions: Sequence[Champion], config: GateConfig, file_of: Callable[[int], Path]
) -> Verdict:
    from pictor_training.retraining.gate.ask import ask  # noqa: PLC0415 - see real_tools

    return ask(exported, champions, config, file_of)


def _promote(model: StoredModel, version: int, label: str, servers: Servers, reason: str) -> object:
    from pictor_store.changes import promote  # noqa: PLC0415 - see real_tools

    return promote(model, version, label=label, servers=servers or None, reason=reason, by="pictor retrain")


def _sync(store: str, servers: Servers) -> None:
    from pictor_store.changes import sync  # noqa: PLC0415 - see real_tools

    sync(open_store(store), servers)


def _drifted(urls: Sequence[str], name: str, threshold: float, timeout_s: float) -> Reading:
    from pictor_training.retraining.trigger import drifted  # noqa: PLC0415 - see real_tools

    return drifted(urls, name, threshold, timeout_s)


def _prune(model: StoredModel, keep: int, servers: Servers) -> object:
    from pictor_store.changes import prune  # noqa: PLC0415 - see real_tools

    return prune(model, keep, servers=servers or None, by="pictor retrain")
