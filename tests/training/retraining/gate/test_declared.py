"""What callers see of a model may only change where it is declared."""

from dataclasses import replace

import pytest

from pictor_contract import ImageContract, PictureInput
from pictor_training.retraining.gate.declared import contract_changes, new_labels

BEFORE = ImageContract("pets", ("cat", "dog"), "binary", PictureInput(height=8, width=8))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"temperature": 2.0, "metrics": {"accuracy": 0.5}}, []),
        ({"labels": ("cat", "dog", "owl"), "head": "multiclass"}, []),
        ({"head": "multiclass"}, ["head from binary to multiclass"]),
        ({"labels": ("cat", "dog", "owl"), "head": "multilabel"}, ["head from binary to multilabel"]),
        ({"labels": ("dog", "cat")}, ["the order of the labels"]),
        ({"input": PictureInput(height=8, width=8, channels=1)}, ["input.channels from 3 to 1"]),
    ],
)
def test_a_change_of_the_contract_is_named(change: dict[str, object], told: list[str]) -> None:
    """A third label makes a binary head multi-class: that is the label's doing, and asked elsewhere."""
    assert told == list(contract_changes(replace(BEFORE, **change), BEFORE))  # type: ignore[arg-type]  # as stated


def test_labels_are_new_on_one_side_only() -> None:
    """In the order of the contract that has them."""
    after = replace(BEFORE, labels=("bee", "cat", "owl"), head="multiclass")
    assert (["bee", "owl"], ["dog"]) == (new_labels(after, BEFORE), new_labels(BEFORE, after))
