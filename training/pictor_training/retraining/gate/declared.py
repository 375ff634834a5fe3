"""What callers see of a model may only change where the configuration says so: labels, input, head, order."""

from collections.abc import Iterator
from dataclasses import fields

from pictor_contract import ImageContract, PictureInput
from pictor_training.retraining.gate.config import GateConfig, Ruling
from pictor_training.retraining.gate.words import limited, listed
from pictor_training.verdict import Check


def declared_checks(ours: ImageContract, theirs: ImageContract, config: GateConfig) -> Iterator[Check]:
    """Compare the challenger's contract with the stable version's."""
    new, removed = new_labels(ours, theirs), new_labels(theirs, ours)
    yield _labels("new labels", new, "are new", config.new_labels, "gate.new_labels")
    yield _labels("removed labels", removed, "are gone", config.removed_labels, "gate.removed_labels")
    changes = list(contract_changes(ours, theirs))
    objection = None
    if changes and config.contract_change == "hold":
        objection = (
            f"The contract changes: {'; '.join(changes)}. Whoever sends tensors or counts scores would be "
            "surprised; if it is meant, set gate.contract_change: allow."
        )
    limit = "no change" if config.contract_change == "hold" else "any change"
    yield limited("contract", limit, "; ".join(changes) or "unchanged", objection)


def new_labels(ours: ImageContract, theirs: ImageContract) -> list[str]:
    """Name the labels of `ours` that `theirs` does not have."""
    return [label for label in ours.labels if label not in theirs.labels]


def contract_changes(ours: ImageContract, theirs: ImageContract) -> Iterator[str]:
    """Say what differs besides labels that came or went."""
    for field in fields(PictureInput):
        before, now = (getattr(one.input, field.name) for one in (theirs, ours))
        if before != now:
            yield f"input.{field.name} from {before} to {now}"
    same_labels = set(ours.labels) == set(theirs.labels)
    # From two labels to three a head turns from binary to multi-class: that is the label's doing.
    if ours.head != theirs.head and (same_labels or "multilabel" in (ours.head, theirs.head)):
        yield f"head from {theirs.head} to {ours.head}"
    if _order(ours, theirs) != _order(theirs, ours):
        yield "the order of the labels"


def _order(one: ImageContract, other: ImageContract) -> list[str]:
    return [label for label in one.labels if label in other.labels]


def _labels(name: str, found: list[str], verb: str, ruling: Ruling, key: str) -> Check:
    objection = None
    if found and ruling == "hold":
        objection = f"Labels {verb}: {listed(found)}. If that is meant, set {key}: allow."
    return limited(name, _limit(ruling), listed(found) or "none", objection)


def _limit(ruling: Ruling) -> str:
    return "none" if ruling == "hold" else "any"
