"""Where the pictures come from: class folders or a manifest, judged as a whole before a file is opened."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pictor_contract import Head
from pictor_training.config.schema import DataConfig
from pictor_training.data.example import Example, Listing, Skipped
from pictor_training.data.folders import EXPECTED, list_folders
from pictor_training.data.manifest import list_manifest
from pictor_training.errors import ConfigError, DataError

_BINARY: Final = 2
"""Classes that one sigmoid tells apart."""

_SHOWN: Final = 5
"""Names in a message."""


@dataclass(frozen=True, slots=True)
class Source:
    """Every file to train or to judge by. `labels` are sorted and come from the training examples alone."""

    root: Path
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    head: Head
    skipped: Skipped = field(default_factory=Skipped)

    def name_of(self, example: Example) -> str:
        """Return the example's path below the root, with slashes; bytes that are no UTF-8 become U+FFFD."""
        path = example.path.relative_to(self.root).as_posix()
        return os.fsencode(path).decode("utf-8", "replace")


def read_source(config: DataConfig) -> Source:
    """List the pictures that `config` names and settle classes and head; no picture is opened.

    Raises:
        DataError: nothing to train on: no folder, no pictures, one class, a bad manifest, an unknown class
        held out. ConfigError: the wanted head cannot be trained on these labels.

    """
    root = Path(config.path)
    listing = list_folders(root) if config.manifest is None else list_manifest(Path(config.manifest), root)
    if not listing.examples:
        raise DataError(f"{root}: the class folders are empty. {EXPECTED}")
    labels = _labels(listing.examples)
    head = _head(config, listing, labels)
    _check_labels(config, listing, labels, head)
    return Source(listing.root, labels, listing.examples, head, listing.skipped)


def _labels(examples: tuple[Example, ...]) -> tuple[str, ...]:
    training = [example for example in examples if example.split in (None, "train")]
    if not training:
        raise DataError(f"None of the {len(examples)} pictures is for training: every split is val or test.")
    labels = {label for example in training for label in example.labels}
    for example in examples:
        if unknown := sorted(set(example.labels) - labels):
            raise DataError(
                f"Class {unknown[0]!r} is held out ({example.split}: {example.path.name}) but has no "
                "training picture. Add some to train, or take the class out."
            )
    return tuple(sorted(labels))


def _head(config: DataConfig, listing: Listing, labels: tuple[str, ...]) -> Head:
    several = next((example for example in listing.examples if len(example.labels) > 1), None)
    if config.head == "multilabel" and config.manifest is None:
        raise ConfigError(
            "data.head multilabel needs data.manifest: a class folder gives each picture one label."
        )
    if config.head == "binary" and len(labels) > _BINARY:
        raise ConfigError(
            f"data.head binary needs two classes; found {len(labels)}: {_some(labels)}. Use auto."
        )
    if config.head in ("binary", "multiclass") and several is not None:
        raise ConfigError(
            f"data.head {config.head} needs one label for each picture; {several.path.name} has "
            f"{', '.join(several.labels)}. Use multilabel or auto."
        )
    if config.head != "auto":
        return config.head
    if several is not None:
        return "multilabel"
    return "binary" if len(labels) == _BINARY else "multiclass"


def _check_labels(config: DataConfig, listing: Listing, labels: tuple[str, ...], head: Head) -> None:
    if head == "multilabel":
        if not labels:
            raise DataError("No picture has a label.")
        return
    if bare := next((example for example in listing.examples if not example.labels), None):
        raise DataError(
            f"{bare.path.name} has no label. Only a multilabel head can learn from such pictures."
        )
    if len(labels) == 1:
        count = Counter(example.labels for example in listing.examples)[labels]
        raise DataError(
            f"Found one class, {labels[0]!r}, with {count} pictures; at least two are needed. "
            f"{_hint(config, labels[0])}{EXPECTED}"
        )


def _hint(config: DataConfig, label: str) -> str:
    """Suggest the folder below: archives are often unpacked one level too deep."""
    inner = Path(config.path) / label
    below = sorted(entry.name for entry in inner.iterdir() if entry.is_dir()) if inner.is_dir() else []
    return f"Did you mean --data {inner} (it holds {_some(tuple(below))})? " if len(below) > 1 else ""


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
