"""A model as it was at one look, so that all that is derived from it fits together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pictor_store.lineage import STABLE
from pictor_store.models.history import Event
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore
from pictor_store.places import Place
from pictor_store.serving.state import state_of


class SeenModel(StoredModel):
    """A model whose history and versions are those that were seen; its files are those of `place`."""

    def __init__(self, place: Place, name: str, events: Iterable[Event], present: Iterable[int]) -> None:
        super().__init__(place, name)
        self._events = list(events)
        self._present = sorted(present)

    def history(self) -> list[Event]:
        """Return the events that were seen, rising."""
        return list(self._events)

    def versions(self) -> list[int]:
        """Return the versions that were seen, rising."""
        return list(self._present)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a store has of a model, and the versions of it that are to be served, the most needed first.

    Without the `needed` ones, those with a label, nothing may be served; `unread` are the sequences of events
    that cannot be read, and were never.
    """

    name: str
    events: tuple[Event, ...]
    present: tuple[int, ...]
    wanted: tuple[int, ...]
    needed: frozenset[int]
    unread: tuple[int, ...]


def look_at(model: StoredModel, listed: Iterable[int], here: Mapping[int, Event]) -> Seen | None:
    """Return what the store has, None if the model has no version; `here` are events copied before.

    One of the `listed` sequences that cannot be read now is taken from there: without it a wrong version may
    seem to be the one that a rollback goes to.

    Raises:
        StoreError: it cannot be read.
    """
    found = {event.sequence: event for event in model.history()}
    # After the history: what was pruned in between is then missing, and not asked for.
    present = model.versions()
    if not present:
        return None
    missing = set(listed) - set(found)
    found |= {sequence: here[sequence] for sequence in missing & set(here)}
    events = [found[sequence] for sequence in sorted(found)]
    served = state_of(SeenModel(model.place, model.name, events, present)).served
    versions = frozenset({max(present)}) if served.versions is None else served.versions
    stable = served.labels.get(STABLE)
    return Seen(
        model.name,
        tuple(events),
        tuple(present),
        wanted=tuple(sorted(versions, key=lambda version: (version != stable, -version))),
        needed=frozenset(served.labels.values()) or versions,
        unread=tuple(sorted(missing - set(here))),
    )


class MirroredStore(ModelStore):
    """The copy in `place` with the histories that were seen; of other models it has its own."""

    def __init__(self, place: Place, seen: Mapping[str, Seen], only: Sequence[str]) -> None:
        super().__init__(place)
        self._seen = seen
        self._only = only

    def names(self) -> list[str]:
        """Return the models that have a version here, and are wanted."""
        return [name for name in super().names() if not self._only or name in self._only]

    def model(self, name: str) -> StoredModel:
        """Return one; versions that the store has no more count for as long as they are here."""
        here = super().model(name)
        if name not in self._seen:
            return here
        seen = self._seen[name]
        return SeenModel(self.place, name, seen.events, {*seen.present, *here.versions()})
