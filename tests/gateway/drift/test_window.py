"""A window counts the latest pictures, and nothing else."""

from photos import Photo, count_bins, darker, statistics_of, take_photos
from pictor_contract.drift import drift_score
from pictor_contract.statistics import FEATURES
from pictor_gateway.drift.window import DriftWindow

TRAINED = statistics_of(take_photos(1, 300))
PHOTOS = take_photos(2, 250)


def _window(photos: list[Photo], most: int = 200) -> DriftWindow:
    window = DriftWindow("pets", 1, TRAINED, most)
    for photo in photos:
        window.add(photo.bins())
    return window


def test_the_latest_pictures_are_compared_and_the_oldest_forgotten() -> None:
    """A window that has slid along is equal to one of its last pictures alone."""
    slid = _window(PHOTOS).reading(100)
    counts = count_bins(PHOTOS[-200:])
    expected = {
        feature: drift_score(TRAINED.shares(feature), TRAINED.taken_from(feature), counts[feature])
        for feature in FEATURES
    }
    assert (200, expected) == (slid.pictures, slid.features)
    assert max(expected.values()) == slid.score


def test_drift_goes_when_its_pictures_have_gone() -> None:
    """What happened once is not held against tomorrow."""
    window = _window([darker(photo) for photo in PHOTOS[:100]], most=100)
    before = window.reading(100).features["brightness"]
    for photo in PHOTOS[100:200]:
        window.add(photo.bins())
    after = window.reading(100).features["brightness"]
    assert before is not None
    assert after is not None
    assert before > 1
    assert after < 0.1


def test_too_few_pictures_have_no_score() -> None:
    """Also if they are few for one feature only."""
    assert _window(PHOTOS[:99]).reading(100).score is None
    window = _window(PHOTOS[:60])
    for photo in PHOTOS[60:100]:
        window.add({feature: place for feature, place in photo.bins().items() if feature != "size"})
    reading = window.reading(100)
    assert [feature for feature, score in reading.features.items() if score is None] == ["size"]
    assert reading.score is not None


def test_an_empty_window_has_no_score() -> None:
    """Even where one picture would be enough."""
    reading = _window([]).reading(1)
    assert (0, None) == (reading.pictures, reading.score)
