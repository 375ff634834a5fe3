"""The drift score: silent where nothing has changed, loud where something has."""

from collections.abc import Callable

import numpy as np
import pytest

from photos import Photo, blurred, count_bins, darker, larger, statistics_of, take_photos
from pictor_contract.drift import drift_score
from pictor_contract.statistics import FEATURES

NOTHING, MUCH = 0.1, 0.25
WINDOW = 200
"""The fewest pictures that a gateway gives a score for."""

TRAINED = take_photos(1, 600)


def _scores(photos: list[Photo]) -> dict[str, float]:
    statistics = statistics_of(TRAINED)
    counts = count_bins(photos)
    return {
        feature: drift_score(statistics.shares(feature), statistics.taken_from(feature), counts[feature])
        for feature in FEATURES
    }


@pytest.mark.parametrize("seed", range(2, 7))
def test_other_pictures_of_the_same_kind_are_no_drift(seed: int) -> None:
    """At the smallest window; in no feature."""
    assert max(_scores(take_photos(seed, WINDOW)).values()) < NOTHING


@pytest.mark.parametrize(
    ("change", "feature"), [(darker, "brightness"), (blurred, "sharpness"), (larger, "size")]
)
def test_other_pictures_are_drift_in_what_has_changed(change: Callable[[Photo], Photo], feature: str) -> None:
    """At the smallest window, far above the threshold, and without a word about the answers."""
    scores = _scores([change(photo) for photo in take_photos(2, WINDOW)])
    assert scores[feature] > 2 * MUCH
    assert max(scores["class_mix"], scores["confidence"]) < NOTHING


def test_another_mix_of_classes_is_drift() -> None:
    """The pictures themselves look as ever."""
    scores = _scores(take_photos(2, WINDOW, mix=(0.1, 0.3, 0.6)))
    assert scores["class_mix"] > MUCH
    assert max(scores[feature] for feature in ("brightness", "sharpness", "size")) < NOTHING


def test_a_model_that_has_become_unsure_is_drift() -> None:
    """As where it is shown what it has never learnt."""
    assert _scores(take_photos(2, WINDOW, sureness=1.0))["confidence"] > MUCH


@pytest.mark.parametrize(
    ("bins", "taken_from"), [(2, 76), (10, 300), (16, 300), (16, 10_000), (30, 1000), (1000, 10_000)]
)
def test_chance_alone_stays_below_the_threshold(bins: int, taken_from: int) -> None:
    """A thousand small windows of nothing new: few say otherwise, whatever the shape of the shares."""
    random = np.random.default_rng(bins)
    for shares in (np.full(bins, 1 / bins), 0.7 ** np.arange(bins), 1 / np.arange(1, bins + 1)):
        true = shares / shares.sum()
        scores = [
            drift_score(
                (random.multinomial(taken_from, true) / taken_from).tolist(),
                taken_from,
                random.multinomial(WINDOW, true).tolist(),
            )
            for _ in range(1000)
        ]
        assert sum(score > NOTHING for score in scores) <= 25
        assert sum(score > MUCH for score in scores) <= 5


def test_without_the_correction_chance_would_look_like_drift() -> None:
    """The bare index of ten equal bins, 76 pictures against 200, is above 0.1 more often than not."""
    random = np.random.default_rng(1)
    p, q = (random.multinomial(count, [0.1] * 10, 1000) / count for count in (76, WINDOW))
    bare = ((q - p) * np.log(np.maximum(q, 1e-3) / np.maximum(p, 1e-3))).sum(axis=1)
    assert (bare > NOTHING).mean() > 0.5
    expected = 9 * (1 / 76 + 1 / WINDOW)
    assert bare.mean() == pytest.approx(expected, rel=0.25)


def test_the_score_is_the_index_where_many_pictures_make_chance_small() -> None:
    """By hand: (0.8 - 0.5) ln(0.8 / 0.5) + (0.2 - 0.5) ln(0.2 / 0.5)."""
    score = drift_score((0.5, 0.5), 10**8, (80_000_000, 20_000_000))
    assert score == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4), abs=1e-5)


def test_what_was_never_seen_in_training_is_drift() -> None:
    """Bins that were empty have no logarithm; the score is large and finite."""
    score = drift_score((1.0, 0.0, 0.0), 500, (0, 100, 100))
    assert MUCH < score < 20


@pytest.mark.parametrize(
    ("shares", "counts"), [((1.0,), (200,)), ((0.25,) * 4, (50,) * 4), ((0.0, 1.0, 0.0), (0, 200, 0))]
)
def test_the_same_shares_are_no_drift_at_all(shares: tuple[float, ...], counts: tuple[int, ...]) -> None:
    """One label, equal shares, empty bins on both sides."""
    assert 0.0 == drift_score(shares, 100, counts)
