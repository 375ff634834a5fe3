"""What stable was before, read out of a history: where a rollback goes, and what is kept for it."""

from collections.abc import Collection, Iterable
from typing import Final

from pictor_store.models.history import Event

STABLE: Final = "stable"
"""The label whose version answers requests that name none. Without it the newest version does."""

CANARY: Final = "canary"
"""The label of the version that is being tried."""

_BACK: Final = frozenset({"rolled_back", "failed"})


def stable_line(events: Iterable[Event]) -> list[int]:
    """Return the versions that stable stands on, the present one last.

    A promotion adds one. Going back takes those away that were gone back from, so a second rollback goes one
    further back and not forth again.
    """
    line: list[int] = []
    for event in events:
        version = event.labels.get(STABLE)
        if version is None:
            line = []
        elif event.action in _BACK and version in line:
            while line[-1] != version:
                line.pop()
        elif line[-1:] != [version]:
            line.append(version)
    return line


def version_before(events: Iterable[Event], present: Collection[int]) -> int | None:
    """Return the version a rollback goes to: the last one before stable that is another and still there."""
    line = stable_line(events)
    return next((one for one in reversed(line) if one != line[-1] and one in present), None)


def kept_versions(events: Iterable[Event], present: Collection[int]) -> set[int]:
    """Return the versions that must stay as they are: those with a label, and the one a rollback goes to."""
    known = list(events)
    labels = known[-1].labels if known else {}
    before = version_before(known, present)
    return {*labels.values(), *(() if before is None else (before,))}
