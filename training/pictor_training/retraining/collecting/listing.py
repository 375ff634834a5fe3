"""Every picture file that the sources name, each with its source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pictor_training.data.example import Example, is_regular
from pictor_training.data.folders import list_folders
from pictor_training.data.manifest import SEPARATOR, list_manifest
from pictor_training.errors import DataError
from pictor_training.retraining.collecting.samples import labels_of
from pictor_training.retraining.config import SourceConfig
from pictor_training.retraining.loading import source_name


@dataclass(slots=True)
class Listed:
    """Files and their sources, side by side, and what is worth telling."""

    examples: list[Example] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, examples: Sequence[Example], source: str) -> None:
        """Add what one source names."""
        self.examples += examples
        self.sources += [source] * len(examples)


def list_sources(sources: Sequence[SourceConfig], collected: Path) -> Listed:
    """List all but the samples' own files, which `collected` holds copies of.

    Raises:
        DataError: a source is missing or empty and not optional, or not what it should be.
    """
    listed = Listed()
    for source in sources:
        if source.samples is None:
            listed.add(_list(source, listed.notes), source_name(source))
    if any(source.samples for source in sources):
        listed.add(list(_collected(collected)), "samples")
    return _once_each(listed)


def _list(source: SourceConfig, notes: list[str]) -> list[Example]:
    name = source_name(source)
    if source.optional and _is_empty(source):
        notes.append(f"The source {name} holds nothing.")
        return []
    if source.manifest is not None:
        listing = list_manifest(Path(source.manifest), Path(source.folder or source.manifest).absolute())
    else:
        listing = list_folders(Path(name))
    if not listing.examples and not source.optional:
        raise DataError(
            f"The source {name} holds no picture. Is it mounted? If it may be empty, say optional: true."
        )
    return [nameable for example in listing.examples for nameable in _nameable(example, notes)]


def _is_empty(source: SourceConfig) -> bool:
    path = Path(source.manifest or source.folder or "")
    try:
        return not path.exists() or (path.is_dir() and next(path.iterdir(), None) is None)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error


def _nameable(example: Example, notes: list[str]) -> Iterator[Example]:
    """Yield the example with labels as a manifest can have them; a path that none can have is left out."""
    labels = tuple(sorted(label.strip() for label in example.labels))
    if bad := [label for label in labels if not label or SEPARATOR in label]:
        raise DataError(
            f"{example.path.parent}: the label {bad[0]!r} cannot be written into a manifest, where "
            f"'{SEPARATOR}' parts several labels. Rename the folder."
        )
    text = str(example.path)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = ""
    if text and text == text.strip():
        yield replace(example, labels=labels)
    else:
        notes.append(
            f"{str(example.path)!a} is left out: its name is no UTF-8, or ends in a space. Rename it."
        )


def _collected(folder: Path) -> Iterator[Example]:
    if not folder.is_dir():
        return
    for label in sorted(folder.iterdir()):
        if label.name.startswith(".") or not label.is_dir():
            continue
        for path in sorted(label.iterdir()):
            if not path.name.startswith(".") and is_regular(path):
                yield Example(path, labels_of(label.name))


def _once_each(listed: Listed) -> Listed:
    """Keep one of several equal entries; a file that two sources give different labels is left out."""
    labels: dict[str, set[tuple[str, ...]]] = {}  # by text: paths are slow to compare
    for example in listed.examples:
        labels.setdefault(str(example.path), set()).add(example.labels)
    result = Listed(notes=listed.notes)
    done: set[str] = set()
    for example, source in zip(listed.examples, listed.sources, strict=True):
        path = str(example.path)
        if path in done:
            continue
        done.add(path)
        if len(labels[path]) > 1:
            result.notes.append(f"{example.path} is left out: two sources give it different labels.")
        else:
            result.add([example], source)
    return result
