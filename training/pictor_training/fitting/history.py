"""The learning curve: one row per finished epoch, in `history.csv`."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pictor_training.durable import write_text_durably
from pictor_training.run_folder import HISTORY_FILE

COLUMNS: Final = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
"""`epoch` counts from 1; `learning_rate` is the epoch's last; `seconds` includes the validation."""

Row = dict[str, float]


def write_history(run: Path, rows: Sequence[Row]) -> None:
    """Write all rows anew, whole or not at all: a resumed run has no epoch twice and none missing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
    write_text_durably(run / HISTORY_FILE, text.getvalue())
