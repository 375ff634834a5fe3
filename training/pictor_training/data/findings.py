"""The audit, put together from what reading, decoding, grouping and dividing brought to light."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from statistics import median_low
from typing import Final

import numpy as np

from pictor_training.data.audit import (
    LEAST_GROUPS,
    Audit,
    Conflict,
    Filled,
    Leak,
    Sizes,
    Unreadable,
    WrongExtension,
)
from pictor_training.data.cache import PictureFacts
from pictor_training.data.contents import Refusal
from pictor_training.data.example import SIDES, Example, Side
from pictor_training.data.source import Source
from pictor_training.data.split import Division, Pool

_EXTENSIONS: Final[Mapping[str, frozenset[str]]] = {
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "PNG": frozenset({".png"}),
    "WEBP": frozenset({".webp"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "GIF": frozenset({".gif"}),
    "TIFF": frozenset({".tif", ".tiff"}),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known. `rows[i]` are the files of row i, the one that stands for it first."""

    source: Source
    rows: tuple[tuple[Example, ...], ...]
    facts: tuple[PictureFacts, ...]
    refused: tuple[tuple[Example, Refusal], ...]
    pool: Pool
    division: Division

    def path(self, row: int) -> str:
        """Return the path that stands for the row."""
        return self.source.name_of(self.rows[row][0])


def write_audit(evidence: Evidence) -> Audit:
    """Return what was found, every list in the order of its paths."""
    source = evidence.source
    groups = _near_groups(evidence)
    counts = _counts(evidence)
    training = [sides["train"] for sides in counts.values()]
    return Audit(
        files=len(source.examples),
        used=sum(side is not None for side in evidence.division.sides),
        counts=counts,
        imbalance=max(training) / max(1, min(training)),
        formats=_formats(evidence),
        sizes=_sizes(evidence.facts),
        unreadable=tuple(
            Unreadable(source.name_of(example), refusal.code, refusal.message)
            for example, refusal in evidence.refused
        ),
        wrong_extensions=tuple(sorted(_wrong_extensions(evidence), key=lambda one: one.path)),
        exact_duplicates=tuple(
            sorted(tuple(map(source.name_of, files)) for files in evidence.rows if len(files) > 1)
        ),
        near_duplicates=tuple(sorted(tuple(sorted(map(evidence.path, rows))) for rows in groups)),
        conflicts=_sorted(
            _conflict(source, files)
            for files, used in zip(evidence.rows, evidence.pool.used, strict=True)
            if not used
        ),
        near_conflicts=_sorted(_near_conflicts(evidence, groups)),
        leaks=tuple(sorted(_leaks(evidence), key=lambda leak: leak.path)),
        too_small=_too_small(evidence),
        filled=tuple(Filled(source.labels[column], side) for column, side in evidence.division.filled),
        skipped=source.skipped,
    )


def _counts(evidence: Evidence) -> dict[str, dict[Side, int]]:
    sides = np.array([side or "" for side in evidence.division.sides])
    targets = evidence.pool.targets
    return {
        label: {side: int(targets[sides == side, column].sum()) for side in SIDES}
        for column, label in enumerate(evidence.source.labels)
    }


def _formats(evidence: Evidence) -> dict[str, int]:
    used = zip(evidence.facts, evidence.division.sides, strict=True)
    return dict(Counter(facts.format for facts, side in used if side is not None).most_common())


def _sizes(facts: tuple[PictureFacts, ...]) -> Sizes:
    widths, heights = [one.width for one in facts], [one.height for one in facts]
    by_area = sorted((one.width * one.height, one.width, one.height) for one in facts)
    return Sizes(by_area[0][1:], (median_low(widths), median_low(heights)), by_area[-1][1:])


def _wrong_extensions(evidence: Evidence) -> Iterator[WrongExtension]:
    for files, facts in zip(evidence.rows, evidence.facts, strict=True):
        for file in files:
            suffix = PurePath(file.path.name).suffix.lower()
            if suffix and suffix not in _EXTENSIONS[facts.format]:
                yield WrongExtension(evidence.source.name_of(file), facts.format)


def _near_groups(evidence: Evidence) -> list[list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(evidence.pool.groups.tolist()):
        groups[group].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def _near_conflicts(evidence: Evidence, groups: list[list[int]]) -> Iterator[Conflict]:
    for rows in groups:
        files = tuple(evidence.rows[row][0] for row in rows if evidence.pool.used[row])
        if len({file.labels for file in files}) > 1:
            yield _conflict(evidence.source, files)


def _conflict(source: Source, files: tuple[Example, ...]) -> Conflict:
    named = sorted((source.name_of(file), file.labels) for file in files)
    return Conflict(tuple(path for path, _ in named), tuple(labels for _, labels in named))


def _sorted(conflicts: Iterator[Conflict]) -> tuple[Conflict, ...]:
    return tuple(sorted(conflicts, key=lambda conflict: conflict.paths))


def _leaks(evidence: Evidence) -> Iterator[Leak]:
    """Name the copies whose row lies on a stricter side, and the rows dropped for a near duplicate's sake."""
    name_of = evidence.source.name_of
    for kept, *copies in evidence.rows:
        for copy in copies:
            if copy.split is not None and kept.split is not None and copy.split != kept.split:
                yield Leak(name_of(copy), copy.split, name_of(kept), kept.split)
    for leak in evidence.division.leaks:
        dropped, kept = evidence.rows[leak.row][0], evidence.rows[leak.kept][0]
        if dropped.split is not None and kept.split is not None:  # only sides that the owner gave can leak
            yield Leak(name_of(dropped), dropped.split, name_of(kept), kept.split)


def _too_small(evidence: Evidence) -> tuple[str, ...]:
    pool = evidence.pool
    return tuple(
        label
        for column, label in enumerate(evidence.source.labels)
        if len(set(pool.groups[pool.used & pool.targets[:, column]].tolist())) < LEAST_GROUPS
    )
