"""Which of a model's versions in a folder its labels mean, by its history."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pictor_store.errors import StoreError
from pictor_store.lineage import CANARY, STABLE, version_before
from pictor_store.models.history import HISTORY_FOLDER, Event, parse_event, read_labels, sequence_of

_MOST_EVENTS: Final = 500
"""The latest, read when stable moves: what it was before further back is nobody's fallback."""


class StoreLabels:
    """One model's labels, read again at each look. What cannot be read is as it was before.

    `known` is False while they could never be read: then nothing says which version is meant.
    """

    def __init__(self, model_folder: Path) -> None:
        self.known = False
        self.trouble = ""
        self.told: Mapping[str, int] = {}
        """As the store has them."""
        self._folder = model_folder
        self._before_stable: int | None = None
        self._meant: dict[str, int] = {}

    def look(self, present: Collection[int]) -> None:
        """Read them; `present` are the versions in the folder."""
        try:
            told = read_labels(self._folder)
        except StoreError as error:
            self.trouble = str(error).replace(str(self._folder), self._folder.name)
            return
        if told.get(STABLE) != self.told.get(STABLE) or not self.known:
            self._before_stable = version_before(_events(self._folder), present)
        self.known, self.trouble, self.told = True, "", told

    @property
    def wanted(self) -> frozenset[int]:
        """The versions to keep loaded: those labelled, those that still answer for them, and the fallback."""
        before = () if self._before_stable is None else (self._before_stable,)
        return frozenset({*self.told.values(), *self._meant.values(), *before})

    def meant(self, loaded: Collection[int]) -> dict[str, int]:
        """Return the version that answers for each label: another one than told while that is not loaded.

        It is the one that answered before; for stable, or else, the one a rollback would go to.
        """
        self._meant = {
            label: self._standing_for(label, version, loaded) for label, version in self.told.items()
        }
        return dict(self._meant)

    def _standing_for(self, label: str, version: int, loaded: Collection[int]) -> int:
        earlier = (version, self._meant.get(label), self._before_stable if label == STABLE else None)
        return next((one for one in earlier if one is not None and one in loaded), version)


def preferred(labels: Mapping[str, int], loaded: Collection[int]) -> int | None:
    """Return the version for requests that name none; None for the newest.

    Where nobody is stable yet, a canary is still not for everybody.
    """
    if STABLE in labels:
        return labels[STABLE]
    others = [version for version in loaded if version != labels.get(CANARY)]
    return max(others) if CANARY in labels and others else None


def _events(model_folder: Path) -> list[Event]:
    """Return the latest events that can be read, rising."""
    history = model_folder / HISTORY_FOLDER
    found: list[Event] = []
    try:
        names = sorted(entry.name for entry in history.iterdir() if sequence_of(entry.name) is not None)
    except OSError:  # no history: there was nothing before
        return found
    for name in names[-_MOST_EVENTS:]:
        try:
            found.append(parse_event((history / name).read_bytes(), name, str(history / name)))
        except (OSError, StoreError):  # damaged, and not the last one: the others tell enough
            continue
    return found
