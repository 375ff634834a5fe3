"""Which pictures must never be learnt from, as far as any place of samples ever said: one sha256 a line.

The list only grows. A place that is away for a night, or a folder that is not mounted and looks empty, takes
its tombstones with it; the pictures may still lie in another source.
"""

from collections.abc import Set as AbstractSet
from pathlib import Path

from pictor_store.samples.layout import is_digest
from pictor_training.durable import write_text_durably
from pictor_training.errors import TrainingError


def read_forgotten(file: Path) -> frozenset[str]:
    """Return what `write_forgotten` wrote; nothing where there is no file yet.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise _unreadable(file, str(error)) from error
    for line in lines:
        if not is_digest(line):
            raise _unreadable(file, f"{line[:100]!r} is no SHA-256")
    return frozenset(lines)


def write_forgotten(file: Path, digests: AbstractSet[str]) -> None:
    """Replace the file.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    write_text_durably(file, "".join(f"{digest}\n" for digest in sorted(digests)))


def _unreadable(file: Path, why: str) -> TrainingError:
    return TrainingError(
        f"{file} cannot be read: {why}. It remembers which pictures must not be learnt from. Put a copy "
        "of it back; or remove it, once every place of samples can be read: they hold the same."
    )
