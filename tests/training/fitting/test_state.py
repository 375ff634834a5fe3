"""Patience and the run's state."""

import json

import pytest

from pictor_training.fitting.state import Patience, RunState


def test_patience_counts_the_epochs_without_progress() -> None:
    """The first value is progress; an equal one is none; a better one starts the count anew."""
    patience = Patience()
    told = [
        patience.saw(value, epoch, higher_is_better=False)
        for epoch, value in enumerate((0.5, 0.5, 0.6, 0.4), 1)
    ]
    assert told == [True, False, False, True]
    assert Patience(best=0.4, best_epoch=4, waited=0) == patience


def test_higher_may_be_better() -> None:
    """Accuracy, not loss."""
    patience = Patience()
    assert [patience.saw(each, 1, higher_is_better=True) for each in (0.5, 0.6, 0.55)] == [True, True, False]


def test_less_than_the_least_gain_is_no_progress() -> None:
    """Many tiny gains add up: the best stays what it was until one beats it by enough."""
    patience = Patience()
    values = (1.0, 0.96, 0.92, 0.88)
    assert [patience.saw(value, 1, higher_is_better=False, least=0.1) for value in values] == [
        True,
        False,
        False,
        True,
    ]


def test_the_state_survives_json_to_the_last_bit() -> None:
    """Floats come back as they were."""
    state = RunState(3, 2, 0.1 + 0.2, [{"loss": 1 / 3}], Patience(0.7, 2, 1), Patience(None, 0, 0))
    assert state == RunState.from_dict(json.loads(json.dumps(state.to_dict())))


@pytest.mark.parametrize("damage", [{"stopping": None}, {"unknown": 1}, {"plateau": {"other": 1}}])
def test_a_state_of_another_form_is_not_taken(damage: dict[str, object]) -> None:
    """The reader of the checkpoint turns this into its refusal."""
    with pytest.raises(TypeError):
        RunState.from_dict({**RunState().to_dict(), **damage})
