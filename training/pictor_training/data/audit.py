"""What was found in the pictures before they were trusted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, Final

from pictor_training.data.example import SIDES, Side, Skipped

_SHOWN: Final = 3
"""Examples of one finding that a terminal shows; `to_dict` has all."""

LEAST_GROUPS: Final = 3
"""A class of fewer distinct pictures cannot be on all three sides."""

_CLASSES_SHOWN: Final = 12

_IMBALANCE: Final = 1.5
"""From here on the terminal mentions it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be decoded, with the decoder's code and sentence."""

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WrongExtension:
    """A picture whose content is of another format than its name says; it is used all the same."""

    path: str
    format: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Equal or near-equal pictures under different labels; `labels` are those of the paths."""

    paths: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """A picture dropped from `side` since `kept`, its duplicate, lies on `kept_side`."""

    path: str
    side: Side
    kept: str
    kept_side: Side


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pixels of the stored pictures, upright."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Filled:
    """A class whose side chance had left short; its pictures may move when pictures are added."""

    label: str
    side: Side


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings. `files` were examined, `used` distinct pictures are on a side.

    Of exact duplicates with equal labels one copy is used; a `conflicts` picture is not used at all, as
    nobody knows which label is right; `near_conflicts` are used, on one side. `counts` are used pictures by
    label and side, `imbalance` is the largest class's share of the training pictures over the smallest's.
    """

    files: int
    used: int
    counts: dict[str, dict[Side, int]]
    imbalance: float
    formats: dict[str, int]
    sizes: Sizes
    unreadable: tuple[Unreadable, ...]
    wrong_extensions: tuple[WrongExtension, ...]
    exact_duplicates: tuple[tuple[str, ...], ...]
    near_duplicates: tuple[tuple[str, ...], ...]
    conflicts: tuple[Conflict, ...]
    near_conflicts: tuple[Conflict, ...]
    leaks: tuple[Leak, ...]
    too_small: tuple[str, ...]
    filled: tuple[Filled, ...]
    skipped: Skipped

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the findings for a terminal: one line for each kind that occurred, with a few examples."""
        formats = ", ".join(f"{count} {name}" for name, count in self.formats.items())
        used = f"{self.used} pictures used ({formats})"
        small, middle, large = ("x".join(map(str, size)) for size in astuple(self.sizes))
        classes = [f"  {label}: {_division(counts)}" for label, counts in self.counts.items()]
        hidden = len(classes) - _CLASSES_SHOWN
        more = [f"  ... and {hidden} classes more"] if hidden > 0 else []
        return [
            f"{self.files} files, {used}; {small} to {large} pixels, median {middle}",
            *classes[:_CLASSES_SHOWN],
            *more,
            *self.findings(),
        ]

    def findings(self) -> list[str]:
        """Return one sentence for each kind of thing that a careful reader would want to know."""
        return [line for line in self._findings() if line]

    def _findings(self) -> Iterator[str]:
        yield _finding(
            "Files that cannot be decoded, skipped", [f"{one.path}: {one.code}" for one in self.unreadable]
        )
        yield _finding(
            "Files of another format than their name says",
            [f"{one.path} is {one.format}" for one in self.wrong_extensions],
        )
        yield _finding(
            "Pictures in several identical copies, of which one is used", map(_joined, self.exact_duplicates)
        )
        yield _finding("Groups of near duplicates, each kept on one side", map(_joined, self.near_duplicates))
        yield _finding("Identical pictures under different labels, not used", map(_labelled, self.conflicts))
        yield _finding(
            "Groups of near duplicates under different labels, to be checked",
            map(_labelled, self.near_conflicts),
        )
        yield _finding(
            "Pictures dropped, as a duplicate is held out",
            [f"{one.path} in {one.side} is {one.kept} in {one.kept_side}" for one in self.leaks],
        )
        yield _finding(
            f"Classes of fewer than {LEAST_GROUPS} different pictures, too few for all sides", self.too_small
        )
        yield _finding(
            "Sides of a class that chance left short and that were filled up",
            [f"{one.label} {one.side}" for one in self.filled],
        )
        yield _finding("Class folders without a picture", self.skipped.empty_classes)
        if self.imbalance >= _IMBALANCE:
            yield f"The largest class has {self.imbalance:.1f} times the training pictures of the smallest."
        skipped = self.skipped
        if skipped.outside or skipped.special:
            yield (
                f"Ignored: files outside class folders: {skipped.outside}; "
                f"broken links and special files: {skipped.special}."
            )


def _finding(what: str, found: Iterable[str]) -> str:
    every = list(found)
    if not every:
        return ""
    more = "; ..." if len(every) > _SHOWN else ""
    return f"{what}: {len(every)} ({'; '.join(every[:_SHOWN])}{more})"


def _division(counts: Mapping[Side, int]) -> str:
    return ", ".join(f"{counts[side]} {side}" for side in SIDES)


def _joined(paths: Sequence[str]) -> str:
    return " = ".join(paths)


def _labelled(conflict: Conflict) -> str:
    pairs = zip(conflict.paths, conflict.labels, strict=True)
    return " = ".join(f"{path} as {', '.join(labels) or 'no label'}" for path, labels in pairs)
