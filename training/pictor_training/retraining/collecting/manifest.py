"""A run's manifest: exactly the files it learns from, with what was in them when they were collected."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from pictor_training.data.example import Example
from pictor_training.data.manifest import list_manifest
from pictor_training.durable import write_text_durably
from pictor_training.errors import DataError, TrainingError
from pictor_training.retraining.collecting.digests import Digests
from pictor_training.retraining.collecting.picture import Picture

MANIFEST_FILE: Final = "manifest.csv"


def write_manifest(file: Path, pictures: Sequence[Picture]) -> Path:
    """Write it and return the folder that its paths start from.

    A picture without a side is marked as training's where others have one: that leaves it to chance, or to
    training where its owner chose what is held out.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    root = Path(os.path.commonpath([picture.path.parent for picture in pictures]))
    divided = any(picture.split for picture in pictures)
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("path", "label", *(("split",) if divided else ()), "sha256", "source"))
    for picture in sorted(pictures, key=lambda one: one.path):
        side = (picture.split or "train",) if divided else ()
        path = picture.path.relative_to(root).as_posix()
        rows.writerow((path, picture.label, *side, picture.content, picture.source))
    write_text_durably(file, text.getvalue())
    return root


def write_quarantine(file: Path, pictures: Sequence[Picture]) -> None:
    """List pictures that are left out, for people.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("sha256", "label", "source", "path"))
    rows.writerows((one.content, one.label, one.source, one.path) for one in pictures)
    write_text_durably(file, text.getvalue())


def read_sources(file: Path) -> dict[str, str]:
    """Return each content's source.

    Raises:
        TrainingError: the manifest cannot be read.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return {row["sha256"]: row["source"] for row in csv.DictReader(lines, strict=True)}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise TrainingError(
            f"{file} cannot be read: {error}. Remove the run's folder to start anew."
        ) from error


def is_unchanged(file: Path, root: Path, digests: Digests) -> bool:
    """Whether every file that the manifest names is there, below `root`, with the content it had."""
    try:
        listing = list_manifest(file, root)
    except DataError:  # a file has gone, or the manifest
        return False
    contents = digests.contents(listing.examples, lambda *_: None)
    return all(_same(example, content) for example, content in zip(listing.examples, contents, strict=True))


def _same(example: Example, content: object) -> bool:
    return example.content == content
