"""What is remembered of each picture that was ever collected and is still there."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Final, Literal, get_args

from pictor_training.durable import write_text_durably
from pictor_training.errors import TrainingError
from pictor_training.retraining.collecting.picture import Key

Standing = Literal["trusted", "waiting", "quarantined", "broken"]
"""waiting: used, but too few came with it to judge its label; broken: it cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Known:
    """How a picture stands. `group` are those that were judged with it, `judge` is the version that did."""

    standing: Standing
    group: str = ""
    judge: int = 0


_HEADER: Final = ("sha256", "label", *(field.name for field in fields(Known)))


def read_known(file: Path) -> dict[Key, Known]:
    """Return what `write_known` wrote; nothing where there is no file yet.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            _check_header(next(rows, []))
            return {
                (content, label): Known(_standing(standing), group, int(judge))
                for content, label, standing, group, judge in rows
            }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(
            f"{file} cannot be read: {error}. It remembers which pictures are in quarantine. Put a copy of "
            "it back, or remove it: then all pictures count as new."
        ) from error


def write_known(file: Path, known: Mapping[Key, Known]) -> None:
    """Replace the file.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEADER)
    rows.writerows((*key, *astuple(one)) for key, one in sorted(known.items()))
    write_text_durably(file, text.getvalue())


def _check_header(cells: Sequence[str]) -> None:
    if tuple(cells) != _HEADER:
        raise ValueError("its first line is another")


def _standing(text: str) -> Standing:
    for standing in get_args(Standing):
        if text == standing:
            return standing  # type: ignore[no-any-return]  # get_args is untyped
    raise ValueError(f"{text!r} is no standing")
