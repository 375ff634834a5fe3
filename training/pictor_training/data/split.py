"""Which picture is trained on and which is held out.

A picture goes with its group (itself and its near duplicates). The group's key is the smallest content hash
(sha256, read as a number from 0 to 1) of its members, and the key alone decides: below 1 - val - test it is
trained on, below 1 - test it is for validation, else for the test. Keys are uniform, so each class divides
alike, up to chance: no exact quota, because a quota makes old pictures move whenever new ones come.

Where chance leaves a class with less than half of what it should have on a side, that side is filled with the
class's groups whose keys lie nearest. Each filling is reported.

What may move when pictures are added (with the same shares and `near_duplicate_bits`):

- A picture whose group gains no member stays, unless a side of one of its group's classes was filled before
  or is now.
- A picture whose group gains a member stays, or sinks: from test to val or train, from val to train. The
  smallest hash of a set only falls when the set grows. So what was once trained on is never held out later,
  filled classes apart.

The price: groups of many copies sink to training more often than single pictures; classes made of such groups
are mostly divided by filling.

Where the owner gives sides, they are kept, a side that is missing is split off train, and a picture is
dropped whose duplicate lies on a side that is held out more strictly: the test picture is kept, the copy in
train is not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_training.data.example import SIDES, Side

_ONE: Final = 2**256
_FILL_ORDER: Final[tuple[Side, ...]] = ("train", "test", "val")
"""Nothing works without training; a figure to report is worth more than early stopping."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What is to be divided.

    Row i has the content hash `contents[i]` (rising) and the group `groups[i]`, named by its first row.
    `targets` [row, label] is True where the label is present. `used` is False for rows that only tie a group
    together. `given` holds the owner's side for each row, or None for every row.
    """

    contents: tuple[str, ...]
    groups: NDArray[np.int64]
    targets: NDArray[np.bool_]
    used: NDArray[np.bool_]
    given: tuple[Side | None, ...]


@dataclass(frozen=True, slots=True)
class RowLeak:
    """A row that was dropped because row `kept`, its duplicate, is held out."""

    row: int
    kept: int


@dataclass(frozen=True, slots=True)
class Division:
    """Each row's side (None: dropped or not used), the leaks, and the filled (label column, side) pairs."""

    sides: tuple[Side | None, ...]
    leaks: tuple[RowLeak, ...]
    filled: tuple[tuple[int, Side], ...]


def divide(pool: Pool, val_fraction: float, test_fraction: float) -> Division:
    """Put every used row on a side; see the module for the rule. The fractions' sum is below 1."""
    members: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(pool.used).tolist():
        members[int(pool.groups[row])].append(row)
    sides: list[Side | None] = [None] * len(pool.contents)
    leaks: list[RowLeak] = []
    free: dict[int, list[int]] = {}
    for group, rows in members.items():
        if all(pool.given[row] in (None, "train") for row in rows):
            free[group] = rows
        else:
            leaks += _keep_given(rows, pool.given, sides)
    shares = _shares(pool, val_fraction, test_fraction)
    chosen, filled = _divide_free(pool, free, shares)
    for group, rows in free.items():
        for row in rows:
            sides[row] = chosen[group]
    return Division(tuple(sides), tuple(leaks), tuple(filled))


def _keep_given(rows: list[int], given: Sequence[Side | None], sides: list[Side | None]) -> Iterator[RowLeak]:
    """Keep what lies on the group's strictest side; the rest leaks."""
    rank = {row: SIDES.index(given[row] or "train") for row in rows}
    kept = max(rows, key=lambda row: (rank[row], -row))
    for row in rows:
        if rank[row] == rank[kept]:
            sides[row] = given[row]
        else:
            yield RowLeak(row, kept)


def _shares(pool: Pool, val_fraction: float, test_fraction: float) -> dict[Side, Fraction]:
    """Return what each side takes of the free rows: nothing where the owner filled it."""
    shares = {"val": Fraction(val_fraction), "test": Fraction(test_fraction)}
    held_out: dict[Side, Fraction] = {
        side: Fraction(0) if side in pool.given else shares[side] for side in SIDES if side != "train"
    }
    return {"train": Fraction(1) - sum(held_out.values(), Fraction(0)), **held_out}


def _side(key: str, shares: Mapping[Side, Fraction]) -> Side:
    place = Fraction(int(key, 16), _ONE)
    if place < shares["train"]:
        return "train"
    return "val" if place < shares["train"] + shares["val"] else "test"


def _divide_free(
    pool: Pool, free: Mapping[int, list[int]], shares: Mapping[Side, Fraction]
) -> tuple[dict[int, Side], list[tuple[int, Side]]]:
    state = _State({}, {}, defaultdict(list), {side: Counter() for side in SIDES})
    for group in sorted(free):
        labels = np.nonzero(pool.targets[free[group]])[1].tolist()
        state.add(group, Counter(labels), _side(pool.contents[group], shares))
    sizes = {label: sum(state.tally[side][label] for side in SIDES) for label in state.of_label}
    filled = [
        (label, side)
        for side in _FILL_ORDER
        for label in sorted(
            sizes, key=lambda label: sizes[label]
        )  # the rarest first: it has the least choice
        if shares[side] and _fill(label, side, float(shares[side] * sizes[label]), state)
    ]
    return state.chosen, filled


@dataclass(frozen=True, slots=True)
class _State:
    """The division in the making; `counts` and `tally` are pictures by label, of a group and of a side."""

    chosen: dict[int, Side]
    counts: dict[int, Counter[int]]
    of_label: defaultdict[int, list[int]]
    tally: dict[Side, Counter[int]]

    def add(self, group: int, counts: Counter[int], side: Side) -> None:
        self.chosen[group] = side
        self.counts[group] = counts
        self.tally[side].update(counts)
        for label in counts:
            self.of_label[label].append(group)

    def can_move(self, group: int, side: Side) -> bool:
        """Whether the side it leaves keeps a picture of each of its labels; training may take all."""
        left = self.tally[self.chosen[group]]
        return side == "train" or all(left[label] > count for label, count in self.counts[group].items())

    def move(self, group: int, side: Side) -> None:
        self.tally[self.chosen[group]].subtract(self.counts[group])
        self.tally[side].update(self.counts[group])
        self.chosen[group] = side


def _fill(label: int, side: Side, wanted: float, state: _State) -> bool:
    """Move groups of the label to a side that came out short; return whether any was moved."""
    before = state.tally[side][label]
    if before >= max(1, wanted / 2):
        return False
    donors = _donors(label, side, state)
    for group in donors:
        missing = max(1, int(wanted)) - state.tally[side][label]
        if state.counts[group][label] <= missing and state.can_move(group, side):
            state.move(group, side)
    if not state.tally[side][label]:  # every group is larger than what the side should get
        movable = [group for group in donors if state.can_move(group, side)]
        for smallest in sorted(movable, key=lambda group: state.counts[group][label])[:1]:
            state.move(smallest, side)
    return state.tally[side][label] > before


def _donors(label: int, side: Side, state: _State) -> list[int]:
    """Return the label's groups on other sides, the nearest key first; groups are numbered by key."""
    others = [group for group in state.of_label[label] if state.chosen[group] != side]
    if side == "train":
        return others
    return sorted(others, key=lambda group: (state.chosen[group] != "train", -group))
