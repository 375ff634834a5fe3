"""Captured pictures with feedback, copied to where the job reads them: `<collected>/<label>/<sha256>.<ext>`.

The copy stays when the gateway's retention sweeps the sample. `pictor samples forget` removes it, and the
tombstone it leaves keeps the picture from coming back, from whatever source.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from pictor_store.errors import StoreError
from pictor_store.samples import Samples, open_samples
from pictor_training.data.manifest import SEPARATOR
from pictor_training.durable import write_durably
from pictor_training.errors import StoreFailed, TrainingError
from pictor_training.retraining.collecting.forgotten import read_forgotten, write_forgotten
from pictor_training.retraining.config import SourceConfig

_NO_LABEL: Final = "%"
"""The folder of pictures that show none of the labels; quoting makes no such name."""


def bring_samples(
    sources: Sequence[SourceConfig], name: str, collected: Path, remembered: Path
) -> tuple[frozenset[str], list[str]]:
    """Copy what is new from every place of samples; return what must be forgotten, and notes.

    What was forgotten once is noted in the file `remembered`: it stays so while its place is away.

    Raises:
        StoreFailed: a place that is not optional cannot be read.
        TrainingError: the folder of copies or `remembered` cannot be read or written.
    """
    before = read_forgotten(remembered)
    forgotten = set(before)
    notes = []
    for source in sources:
        if source.samples is None:
            continue
        try:
            samples = open_samples(source.samples)
            forgotten |= samples.forgotten()
            copy_samples(samples, name, collected)
        except StoreError as error:
            if not source.optional:
                raise StoreFailed(f"{error} Run the command again when it is back.") from error
            notes.append(f"The samples in {source.samples} are left out: {error}")
    if forgotten != before:
        write_forgotten(remembered, forgotten)
    _remove_copies(collected, forgotten)
    return frozenset(forgotten), notes


def copy_samples(samples: Samples, name: str, collected: Path) -> None:
    """Copy what is not there yet, move what has another label now; only what is copied is read.

    Raises:
        SamplesError: the place cannot be read.
        TrainingError: the folder cannot be read or written.
    """
    with _told(collected):
        there = {_content_of(path): path for path in _copies(collected)}
    for labelled in samples.labelled(name):
        sample = labelled.sample
        path = collected / folder_of(labelled.labels) / f"{sample.sha256}.{sample.suffix}"
        before = there.get(sample.sha256)
        if before == path:
            continue
        _check_length(path)
        if before is not None:
            _move(before, path, collected)
        elif (content := samples.content(sample)) is not None:
            _write(path, content)
        else:  # gone or damaged since it was captured
            continue
        there[sample.sha256] = path


def folder_of(labels: Sequence[str]) -> str:
    """Return the name of the folder for these labels, whatever they are; `labels_of` turns it back."""
    quoted = quote(SEPARATOR.join(labels), safe=" ") or _NO_LABEL
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted


def labels_of(folder: str) -> tuple[str, ...]:
    """Return the labels that a folder's name stands for, sorted."""
    return () if folder == _NO_LABEL else tuple(sorted(unquote(folder).split(SEPARATOR)))


def _copies(collected: Path) -> list[Path]:
    return list(collected.glob("*/[!.]*"))


def _content_of(copy: Path) -> str:
    return copy.name.partition(".")[0]


def _remove_copies(collected: Path, forgotten: AbstractSet[str]) -> None:
    with _told(collected):
        for path in _copies(collected):
            if _content_of(path) in forgotten:
                path.unlink(missing_ok=True)


def _check_length(path: Path) -> None:
    if len(path.parent.name.encode()) > 255:  # noqa: PLR2004 - what file systems allow
        raise TrainingError(f"The label {labels_of(path.parent.name)!r} is too long for a folder's name.")


def _move(before: Path, path: Path, collected: Path) -> None:
    with _told(collected):
        path.parent.mkdir(parents=True, exist_ok=True)
        before.replace(path)


def _write(path: Path, content: bytes) -> None:
    write_durably(path, lambda file: file.write(content))


@contextmanager
def _told(collected: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"The copies of samples in {collected} cannot be read or changed ({error}). Mend that, then run "
            "the command again."
        ) from error
