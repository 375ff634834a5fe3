"""What the servers are to have of each model, by the store's histories alone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pictor_contract import ImageContract
from pictor_store.lineage import STABLE, kept_versions
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore
from pictor_store.serving.models_config import Served

log = logging.getLogger("pictor.store")

_NONE: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model: what is to be served, what there is, and the labels it has or had."""

    model: StoredModel
    served: Served
    present: frozenset[int]
    labels_known: frozenset[str]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.served.name

    def contract(self, version: int) -> ImageContract:
        """Return what a version says of itself, from the store."""
        return self.model.contract(version)


def states_of(store: ModelStore) -> dict[str, ModelState]:
    """Return every model that has a version: a server would wait for ever for one that has none.

    Raises:
        StoreError: the store cannot be read.
    """
    return {name: state_of(store.model(name)) for name in store.names()}


def state_of(model: StoredModel, changed: Mapping[str, int] | None = None) -> ModelState:
    """Return one model's state, or what it would be if its labels were `changed`.

    Raises:
        StoreError: the model cannot be read.
    """
    events, present = model.history(), frozenset(model.versions())
    labels = events[-1].labels if events else _NONE
    keep = kept_versions(events, present)
    if changed is not None:
        keep |= {*changed.values(), *labels.values()}
        labels = changed
    known = {label for event in events for label in event.labels} | set(labels)
    served = _served(model.name, labels, keep, present)
    return ModelState(model, served, present, frozenset(known))


def _served(name: str, labels: Mapping[str, int], keep: set[int], present: frozenset[int]) -> Served:
    there = {label: version for label, version in labels.items() if version in present}
    if lost := sorted(set(labels) - set(there)):
        fields = {"model": name, "labels": lost}
        log.error("labels name versions that are not in the store", extra={"fields": fields})
    if not there:
        return Served(name)
    newest = () if STABLE in there else (max(present),)
    return Served(name, frozenset({*(keep & present), *newest}), there)
