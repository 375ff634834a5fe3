"""The checkpoint file: all numbers of a run and where it stands, whole or not there.

An uncompressed `.npz`, read without pickle: the entry `header` is JSON, the others are arrays named
`<group>/<number>`. Its CRCs tell a damaged file from a whole one.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from pictor_training.durable import write_durably
from pictor_training.errors import TrainingError
from pictor_training.fitting.state import RunState

_FORMAT: Final = 1

_DAMAGES: Final = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,  # a lone array where an archive should be
    KeyError,
    TypeError,
    ValueError,
)
"""What NumPy, zipfile and json raise on files that are cut off, altered or something else."""

Groups = Mapping[str, Sequence[NDArray[Any]]]
"""Arrays by what they are the state of: "model", "optimiser", "figures", "best"."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run at one step."""

    run: Mapping[str, Any]
    """What the run is about: see `identity`. A checkpoint continues this run and no other."""
    state: RunState
    groups: Groups


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Put `checkpoint` in the place of the previous one, which stays until the new one is on the disk.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written; the previous one is untouched.

    """
    header = {
        "format": _FORMAT,
        "run": checkpoint.run,
        "state": checkpoint.state.to_dict(),
        "groups": {name: len(arrays) for name, arrays in checkpoint.groups.items()},
    }
    arrays = {
        f"{name}/{i}": array for name, group in checkpoint.groups.items() for i, array in enumerate(group)
    }
    encoded = np.frombuffer(json.dumps(header, allow_nan=False).encode(), np.uint8)

    def write(file: BinaryIO) -> None:
        np.savez(file, header=encoded, **arrays)  # type: ignore[arg-type]  # its stub takes them for options

    write_durably(path, write)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        TrainingError: the file is damaged, or none of this release's.

    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as entries:
            header = json.loads(bytes(entries["header"]))
            if header["format"] != _FORMAT:
                raise _unreadable(path, f"its format is {header['format']!r}, this release reads {_FORMAT}")
            groups = {
                name: [entries[f"{name}/{i}"] for i in range(count)]
                for name, count in header["groups"].items()
            }
            return Checkpoint(header["run"], RunState.from_dict(header["state"]), groups)
    except _DAMAGES as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> TrainingError:
    return TrainingError(
        f"The checkpoint {path} cannot be read: {why}. It is damaged or was written by another release; "
        "start a new run, or put back a whole copy of the file."
    )
