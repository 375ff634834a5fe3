"""When a canary is taken out: each rule, by the numbers."""

from typing import Any

import pytest

from gateway.fakes import FakeModel
from pictor_gateway.rollout.trial import Breach, Rules, Trial
from pictor_gateway.rollout.window import Durations, Tally

_RULES = Rules(window=100, max_error_ratio=0.02, max_latency_ratio=2.0, min_agreement=0.8)


def _trial(rules: Rules = _RULES) -> tuple[Trial, list[Breach | None]]:
    told: list[Breach | None] = []
    return Trial(FakeModel(version=2), 1, rules, lambda trial: told.append(trial.breach)), told


def _kind(trial: Trial) -> str | None:
    return None if trial.breach is None else trial.breach.kind


def test_a_tally_counts_the_latest() -> None:
    """What is older than the window is forgotten."""
    tally = Tally(3)
    for hit in (True, True, False, False):
        tally.note(hit)
    assert (1, 3) == (tally.hits, tally.size)
    tally.note(True, 5)
    assert (3, 3) == (tally.hits, tally.size)


def test_percentiles_are_those_of_the_latest() -> None:
    """Equal values and a full window are no trouble."""
    durations = Durations(4)
    for seconds in (9.0, 1.0, 2.0, 2.0, 3.0):
        durations.note(seconds)
    assert durations.full
    assert [1.0, 2.0, 2.0, 3.0] == [durations.percentile(share) for share in (0.25, 0.5, 0.75, 0.95)]


def test_errors_are_judged_as_soon_as_they_are_too_many() -> None:
    """Two of a hundred may fail; the third ends it, long before a hundred were asked."""
    trial, told = _trial()
    trial.note_pictures(3, 2)
    assert _kind(trial) is None
    trial.note_pictures(0, 1)
    assert told == [Breach("errors", "3 of its last 6 pictures failed; of 100 at most 2 may.")]


def test_errors_of_long_ago_are_forgotten() -> None:
    """The window slides: two in each hundred are allowed for ever."""
    trial, _ = _trial()
    for _ in range(10):
        trial.note_pictures(98, 2)
    assert _kind(trial) is None


def test_without_tolerance_the_first_error_ends_it() -> None:
    """The ratio 0 means none."""
    trial, _ = _trial(Rules(100, 0.0, 2.0, 0.8))
    trial.note_pictures(0, 1)
    assert "errors" == _kind(trial)


@pytest.mark.parametrize(("min_agreement", "may_differ"), [(0.8, 20), (0.71, 29), (1.0, 0), (0.0, 100)])
def test_agreement_is_judged_by_a_whole_window(min_agreement: float, may_differ: int) -> None:
    """Exactly the share that is asked for is enough; one picture less is not."""
    trial, _ = _trial(Rules(100, 0.02, 2.0, min_agreement))
    trial.note_mirrored(0, may_differ)
    assert _kind(trial) is None
    trial.note_mirrored(0, 1)
    assert _kind(trial) == (None if may_differ == 100 else "agreement")


def test_agreement_is_unknown_before_anything_was_mirrored() -> None:
    """A canary that nobody compared does not agree by 100 %."""
    trial, _ = _trial()
    assert trial.agreement is None
    trial.note_mirrored(3, 1)
    assert 0.75 == trial.agreement


def _asked(trial: Trial, requests: int, its_s: float, stables_s: float) -> None:
    for _ in range(requests):
        trial.note_duration(its_s)
        trial.note_stable(stables_s)


def test_latency_is_judged_when_the_window_is_full() -> None:
    """The first slow answers may be those of cold caches."""
    trial, told = _trial()
    _asked(trial, 99, 0.5, 0.1)
    assert told == []
    _asked(trial, 1, 0.5, 0.1)
    assert told == [
        Breach(
            "latency",
            "Its 95th percentile is 500.0 ms, that of version 1 100.0 ms; it may be 2 times as long.",
        )
    ]


def test_a_twentieth_may_be_slow() -> None:
    """The 95th percentile is no maximum."""
    trial, _ = _trial()
    _asked(trial, 95, 0.1, 0.1)
    _asked(trial, 5, 9.0, 0.1)
    assert _kind(trial) is None
    _asked(trial, 1, 9.0, 0.1)
    assert "latency" == _kind(trial)


def test_load_that_both_met_is_nobodys_fault() -> None:
    """Each duration is held against one of stable's from the same moment."""
    trial, _ = _trial()
    _asked(trial, 50, 0.01, 0.01)
    _asked(trial, 50, 2.0, 1.9)
    _asked(trial, 50, 0.01, 0.01)
    assert _kind(trial) is None


@pytest.mark.parametrize(("before_s", "after_s"), [(0.5, 0.01), (0.01, 0.5)])
def test_a_stall_that_met_stable_too_is_nobodys_fault(before_s: float, after_s: float) -> None:
    """Many of the canary's requests end with it, and of stable's only the last before or the first after."""
    trial, _ = _trial()
    _asked(trial, 100, 0.01, 0.01)
    trial.note_stable(before_s)
    for _ in range(20):
        trial.note_duration(0.5)
    _asked(trial, 1, 0.01, after_s)
    assert _kind(trial) is None


def test_a_millisecond_is_noise() -> None:
    """Three times of nearly nothing is nearly nothing."""
    trial, _ = _trial()
    _asked(trial, 200, 0.0015, 0.0005)
    assert _kind(trial) is None


def test_without_stable_there_is_nothing_to_compare_with() -> None:
    """With all traffic on the canary its latency is not judged."""
    trial, _ = _trial()
    for _ in range(200):
        trial.note_duration(9.0)
    assert _kind(trial) is None


@pytest.mark.parametrize("more", ["note_pictures", "note_mirrored"])
def test_after_a_breach_nothing_is_taken_in(more: str) -> None:
    """What operators read is what ended it, and they are told once."""
    trial, told = _trial()
    trial.note_pictures(0, 3)
    noting: Any = getattr(trial, more)
    noting(0, 50)
    _asked(trial, 200, 9.0, 0.1)
    assert (1, 3, None) == (len(told), trial.pictures, trial.agreement)
