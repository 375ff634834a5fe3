"""`verdict.json`: the gate's word on one run and what followed, for programs; what the run had collected."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from pictor_training.durable import write_text_durably
from pictor_training.retraining.collecting.picture import Collection
from pictor_training.verdict import Check, Verdict

VERDICT_FILE: Final = "verdict.json"
COLLECTED_FILE: Final = "collected.json"


@dataclass(frozen=True, slots=True)
class Word:
    """A verdict and its circumstances.

    `version` and `label` are None until the version is published and labelled. `weights` are the digest of
    the weights that were judged, `recalls` (right, held out) by label, `pictures` counts by side.
    """

    run: str
    name: str
    at_utc: str
    verdict: Verdict
    champion: int | None
    version: int | None
    label: str | None
    weights: str
    recalls: dict[str, tuple[int, int]]
    pictures: dict[str, int]
    collected: dict[str, Any]

    def settled(self, version: int, label: str | None) -> Self:
        """Return the word with what came of it."""
        return replace(self, version=version, label=label)


def write_word(run: Path, word: Word) -> Word:
    """Write it into the run's folder and return it.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    data = {
        "name": word.name,
        "run": word.run,
        "at_utc": word.at_utc,
        **word.verdict.to_dict(),
        "champion": word.champion,
        "version": word.version,
        "label": word.label,
        "pictures": word.pictures,
        "collected": word.collected,
        "recalls": word.recalls,
        "weights_sha256": word.weights,
    }
    write_text_durably(run / VERDICT_FILE, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    return word


def read_word(run: Path) -> Word | None:
    """Return what `write_word` wrote; None where there is nothing, or nothing that can be read."""
    try:
        data = json.loads((run / VERDICT_FILE).read_text(encoding="utf-8"))
        checks = tuple(Check(**check) for check in data["checks"])
        return Word(
            run=data["run"],
            name=data["name"],
            at_utc=data["at_utc"],
            verdict=Verdict(checks, data["champion"], data["figures"]),
            champion=data["champion"],
            version=data["version"],
            label=data["label"],
            weights=data["weights_sha256"],
            recalls={label: (right, count) for label, (right, count) in data["recalls"].items()},
            pictures=data["pictures"],
            collected=data["collected"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # the gate is asked again


def write_collected(run: Path, collection: Collection) -> None:
    """Note down what the run was given, so that its verdict can tell.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.
    """
    data = {
        "pictures": len(collection.pictures),
        "new": collection.fresh,
        "quarantined": len(collection.quarantined),
        "distrusted": [reason.sentence() for reason in collection.distrusted],
        "notes": list(collection.notes),
    }
    write_text_durably(run / COLLECTED_FILE, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_collected(run: Path) -> dict[str, Any]:
    """Return what `write_collected` wrote, nothing if it cannot be read."""
    try:
        data = json.loads((run / COLLECTED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
