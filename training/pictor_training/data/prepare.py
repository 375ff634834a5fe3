"""From files to rows: read, decode, find duplicates, divide, audit."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pictor_contract import Head, PictureInput
from pictor_training.config.schema import DataConfig
from pictor_training.data.audit import Audit
from pictor_training.data.cache import Decoded, decode_all
from pictor_training.data.contents import Refusal, Report, hash_contents
from pictor_training.data.duplicates import group_near_duplicates
from pictor_training.data.example import SIDES, Example, Side
from pictor_training.data.findings import Evidence, write_audit
from pictor_training.data.source import Source
from pictor_training.data.split import Division, Pool, divide
from pictor_training.errors import DataError


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Pictures ready to train on. Row i is one distinct content, in the order of the contents' sha256.

    Exact copies share a row, so that no picture counts twice; `paths[i]` is the first of them. Rows on no
    side were dropped, and the audit says why. `train`, `val` and `test` are rising rows; no held-out row has
    a duplicate, exact or near, in `train`. `pictures` is a read-only map of a file. `sizes` [n, 2] are the
    files' own widths and heights, upright. `fingerprint` is equal for equal pictures with equal labels,
    wherever they lie.
    """

    labels: tuple[str, ...]
    head: Head
    pictures: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    targets: NDArray[np.float32]
    paths: tuple[str, ...]
    contents: tuple[str, ...]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    fingerprint: str
    audit: Audit


def prepare(
    source: Source, config: DataConfig, picture_input: PictureInput, cache: Path, *, report: Report
) -> PreparedData:
    """Decode the pictures once, divide them and say what was found.

    Raises:
        DataError: too little can be read to train, validate and test; or any cannot and `on_unreadable` is
        "fail". TrainingError: the cache folder cannot be written.

    """
    hashed = hash_contents(source.examples, report)
    copies = _copies(source, hashed)
    if not copies:
        raise DataError(f"None of {len(hashed)} files can be read; the first says: {_first_refusal(hashed)}")
    decoded = decode_all(
        {content: files[0].path for content, files in copies.items()}, picture_input, cache, report
    )
    refused = _refused(source, hashed, decoded)
    if refused and config.on_unreadable == "fail":
        example, refusal = refused[0]
        raise DataError(
            f"{len(refused)} files cannot be decoded, and data.on_unreadable is fail. "
            f"The first, {source.name_of(example)}, says: {refusal.message}"
        )
    rows = tuple(tuple(copies[facts.content]) for facts in decoded.facts)
    pool = _pool(rows, decoded, source, config.near_duplicate_bits, report)
    division = divide(pool, config.val_fraction, config.test_fraction)
    audit = write_audit(Evidence(source, rows, decoded.facts, refused, pool, division))
    _check_sides(audit, division)
    train, val, test = (_rows(division, side) for side in SIDES)
    return PreparedData(
        labels=source.labels,
        head=source.head,
        pictures=decoded.pictures,
        sizes=np.array([(facts.width, facts.height) for facts in decoded.facts], np.int64),
        targets=pool.targets.astype(np.float32),
        paths=tuple(source.name_of(files[0]) for files in rows),
        contents=pool.contents,
        train=train,
        val=val,
        test=test,
        fingerprint=_fingerprint(rows, pool, division),
        audit=audit,
    )


def _copies(source: Source, hashed: Sequence[str | Refusal]) -> dict[str, list[Example]]:
    """Return the files of each content, those on the strictest side first, then by path."""
    copies: dict[str, list[Example]] = defaultdict(list)
    for example, content in zip(source.examples, hashed, strict=True):
        if isinstance(content, str):
            copies[content].append(example)
    for files in copies.values():
        files.sort(key=lambda file: (-SIDES.index(file.split or "train"), source.name_of(file)))
    return copies


def _refused(
    source: Source, hashed: Sequence[str | Refusal], decoded: Decoded
) -> tuple[tuple[Example, Refusal], ...]:
    outcomes = (
        content if isinstance(content, Refusal) else decoded.refused.get(content) for content in hashed
    )
    pairs = zip(source.examples, outcomes, strict=True)
    return tuple((example, refusal) for example, refusal in pairs if refusal is not None)


def _first_refusal(hashed: Sequence[str | Refusal]) -> str:
    return next(content.message for content in hashed if isinstance(content, Refusal))


def _pool(
    rows: Sequence[Sequence[Example]], decoded: Decoded, source: Source, bits: int, report: Report
) -> Pool:
    sides = [min(facts.width, facts.height) for facts in decoded.facts]
    agreed = np.array([len({file.labels for file in files}) == 1 for files in rows])
    column = {label: number for number, label in enumerate(source.labels)}
    targets = np.zeros((len(rows), len(column)), dtype=np.bool_)
    for row in np.flatnonzero(agreed).tolist():
        targets[row, [column[label] for label in rows[row][0].labels]] = True
    return Pool(
        contents=tuple(facts.content for facts in decoded.facts),
        groups=group_near_duplicates(decoded.thumbnails, sides, bits, report),
        targets=targets,
        used=agreed,
        given=tuple(files[0].split for files in rows),
    )


def _check_sides(audit: Audit, division: Division) -> None:
    for label, counts in audit.counts.items():
        if not counts["train"]:
            raise DataError(
                f"Class {label!r} has no picture left to train on: all are unreadable, or in two classes, "
                "or duplicates of held-out ones. Add pictures, or take the class out."
            )
    for side in SIDES:
        if side not in division.sides:
            raise DataError(
                f"{audit.used} different pictures are too few to train, validate and test: "
                f"none is left for {side}. Each side needs at least one; add pictures."
            )


def _rows(division: Division, side: Side) -> NDArray[np.int64]:
    return np.array([row for row, here in enumerate(division.sides) if here == side], dtype=np.int64)


def _fingerprint(rows: Sequence[Sequence[Example]], pool: Pool, division: Division) -> str:
    """Digest what is used; the rows already stand in the order of their contents."""
    facts = [
        (content, files[0].labels)
        for content, files, side in zip(pool.contents, rows, division.sides, strict=True)
        if side is not None
    ]
    return sha256(json.dumps(facts).encode()).hexdigest()
