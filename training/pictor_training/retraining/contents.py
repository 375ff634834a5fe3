"""`contents.csv`: which picture a run put on which side, so that later runs know what its model has seen."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pictor_training.data.example import SIDES
from pictor_training.data.manifest import SEPARATOR
from pictor_training.durable import write_text_durably

if TYPE_CHECKING:  # what it imports is not needed for reading
    from pictor_training.data.prepare import PreparedData

CONTENTS_FILE: Final = "contents.csv"

_HEADER: Final = ("sha256", "label", "side", "source")


@dataclass(frozen=True, slots=True)
class Contents:
    """Labels of all pictures that were used, by content, and the contents of each kind."""

    labels: dict[str, str]
    trained_on: frozenset[str]
    held_out: frozenset[str]


def write_contents(file: Path, data: "PreparedData", sources: Mapping[str, str]) -> None:
    """Write every picture that is on a side, in the order of contents.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    rows = {row: side for side in SIDES for row in getattr(data, side).tolist()}
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_HEADER)
    for row, side in sorted(rows.items()):
        present = (label for label, there in zip(data.labels, data.targets[row], strict=True) if there)
        content = data.contents[row]
        lines.writerow((content, SEPARATOR.join(present), side, sources.get(content, "")))
    write_text_durably(file, text.getvalue())


def read_contents(file: Path) -> Contents | None:
    """Return what `write_contents` wrote, None where there is no such file or it is damaged."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [(row["sha256"], row["label"], row["side"]) for row in csv.DictReader(lines, strict=True)]
    except (OSError, ValueError, KeyError, csv.Error):
        return None
    return Contents(
        {content: label for content, label, _ in rows},
        frozenset(content for content, _, side in rows if side != "test"),
        frozenset(content for content, _, side in rows if side == "test"),
    )
