"""How much of the past stays: run folders, decoded pictures, versions."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from pictor_store.samples.copies import CACHE_FOLDER
from pictor_training.data.cache import remove_older
from pictor_training.retraining.memory import Entry

_CACHES: Final = 2
"""Sets of decoded pictures: the last one, and one for whoever trains beside the job."""


def prune_runs(runs: Path, ledger: Sequence[Entry], keep: int, versions: Collection[int]) -> None:
    """Remove the folders of this job's older runs, but not those whose version is in the store.

    They tell what that version has learnt from. Runs that the ledger does not name are not the job's.
    """
    for entry in ledger[:-keep]:
        if entry.version not in versions:
            shutil.rmtree(runs / entry.run, ignore_errors=True)
    remove_older(runs / CACHE_FOLDER, keep=_CACHES)
