"""The statistics of the training data: what each feature is, and what the contract accepts."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photos import statistics_of, take_photos
from pictor_contract import DataStatistics, ImageContract, InvalidContract, PictureInput
from pictor_contract.statistics import FEATURES, answer_bins, bins_of, picture_bins, shares_from

STATISTICS = statistics_of(take_photos(1, 40))
CONTRACT = ImageContract(
    "pets", ("cat", "dog", "owl"), "multiclass", PictureInput(48, 48), statistics=STATISTICS
)
ODD_VALUES: list[Any] = [None, True, -1, 0, 0.5, "x", "", [], [1, 2], {}, [[1]], [2.0, -1.0], 10**400]


def _one(feature: str, bins: int, place: int = 0) -> tuple[float, ...]:
    assert bins_of(feature, 3) == bins
    return tuple(float(number == place) for number in range(bins))


def _flat(level: int, channels: int = 3, side: int = 8) -> Any:
    return np.full((side, side, channels), level, np.uint8)


def test_a_contract_with_statistics_reads_back_as_it_was_written() -> None:
    """In every share and in its digest."""
    again = ImageContract.from_json(CONTRACT.to_json())
    assert (CONTRACT, CONTRACT.digest()) == (again, again.digest())


def test_a_contract_without_statistics_is_written_as_before_there_were_any() -> None:
    """So that it can be read by releases that know of none, and keeps its digest."""
    bare = replace(CONTRACT, statistics=None)
    assert "statistics" not in bare.to_json()
    assert bare.digest() != CONTRACT.digest()
    assert bare == ImageContract.from_json(bare.to_json())


def test_statistics_make_a_contract_little_longer() -> None:
    """It travels inside of every SavedModel, and is told to every gateway that asks."""
    added = len(CONTRACT.to_json()) - len(replace(CONTRACT, statistics=None).to_json())
    assert added < 2000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pictures", 0),
        ("pictures", 1.0),
        ("pictures", True),
        ("held_out", -1),
        ("class_mix", [0.5, 0.25]),
        ("class_mix", [0.5, 0.25, 0.25, 0.0]),
        ("class_mix", [1.5, -0.25, -0.25]),
        ("class_mix", ["a", "b", "c"]),
        ("confidence", [1.0]),
        ("brightness", [0.125] * 8),
        ("sharpness", None),
        ("size", "1.0"),
        ("extra", 1),
    ],
)
def test_impossible_statistics_are_refused_with_their_name(name: str, value: object) -> None:
    """As every other part of the contract."""
    data = json.loads(CONTRACT.to_json())
    data["statistics"][name] = value
    with pytest.raises(InvalidContract, match=r"statistics.*" if name != "extra" else "extra"):
        ImageContract.from_json(json.dumps(data))


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("path", ["statistics", *(f"statistics.{feature}" for feature in FEATURES)])
def test_a_value_of_any_type_is_read_or_refused(path: str, value: object) -> None:
    """Nothing but `InvalidContract` ever comes out."""
    data = json.loads(CONTRACT.to_json())
    *parents, last = path.split(".")
    target = data
    for parent in parents:
        target = target[parent]
    target[last] = value
    try:
        contract = ImageContract.from_json(json.dumps(data))
    except InvalidContract:
        return
    assert contract.digest() == ImageContract.from_json(contract.to_json()).digest()


def test_a_missing_feature_is_refused() -> None:
    """Half of the statistics would be read as no drift in the other half."""
    data = json.loads(CONTRACT.to_json())
    del data["statistics"]["size"]
    with pytest.raises(InvalidContract, match="size"):
        ImageContract.from_json(json.dumps(data))


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=1500).filter(any))
def test_shares_of_any_counts_make_valid_statistics(counts: list[int]) -> None:
    """However many labels there are, rounding leaves the sum at 1 and every share near its own."""
    shares = shares_from(counts)
    told = DataStatistics(
        pictures=1,
        held_out=sum(counts),
        class_mix=shares,
        confidence=_one("confidence", 11),
        brightness=_one("brightness", 16),
        sharpness=_one("sharpness", 17),
        size=_one("size", 17),
    )
    assert told.shares("class_mix") == shares
    worst = max(abs(share - count / sum(counts)) for share, count in zip(shares, counts, strict=True))
    assert worst <= 1e-6


def test_the_answers_features_are_the_highest_score_and_whose_it_is() -> None:
    """Also on an edge, the training's float64 falls where the gateway's float32 does."""
    assert {"class_mix": 1, "confidence": 6} == answer_bins(np.array([0.125, 0.75, 0.125]))
    assert {"class_mix": 0, "confidence": 10} == answer_bins(np.array([1.0, 0.0]))
    for edge in (0.2, 0.3, 0.6, 0.7, 0.9, 0.95, 0.99):
        scores = np.array([edge, 0.0])
        assert answer_bins(scores) == answer_bins(scores.astype(np.float32))


@pytest.mark.parametrize(("level", "place"), [(0, 0), (15, 0), (16, 1), (128, 8), (255, 15)])
@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_is_the_mean_level(level: int, place: int, channels: int) -> None:
    """Of grey pictures and of coloured ones alike."""
    bins = picture_bins(_flat(level, channels), (640, 480))
    assert (place, 0) == (bins["brightness"], bins["sharpness"])


def test_sharpness_is_the_spread_of_the_laplacian() -> None:
    """A chessboard is in the last bin; with half the contrast it is two bins lower, until it is flat."""
    board = np.indices((16, 16)).sum(axis=0) % 2
    bins = [
        picture_bins((board * high).astype(np.uint8)[..., np.newaxis], None)["sharpness"]
        for high in (255, 32, 16, 0)
    ]
    assert [16, int(2 * np.log2(4 * 32)), 12, 0] == bins


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 1), (3, 3, 3), (4096, 2, 3)])
def test_a_tiny_picture_has_its_features_too(shape: tuple[int, int, int]) -> None:
    """Where no pixel has four neighbours it is not sharp."""
    assert {"brightness": 0, "sharpness": 0, "size": 0} == picture_bins(np.zeros(shape, np.uint8), (1, 1))


def test_size_is_that_of_the_picture_as_it_was_sent() -> None:
    """Twice the sides are two bins more; pixels that came without a picture have none."""
    small, large = (picture_bins(_flat(9), size)["size"] for size in ((640, 480), (1280, 960)))
    assert (7, 9) == (small, large)
    assert 16 == picture_bins(_flat(9), (60_000, 60_000))["size"]
    assert "size" not in picture_bins(_flat(9), None)


def test_read_only_pixels_are_left_as_they_are() -> None:
    """They may be a map of the training's cache."""
    pixels = take_photos(2, 1)[0].pixels
    pixels.flags.writeable = False
    before = pixels.copy()
    picture_bins(pixels, (8, 8))
    assert (before == pixels).all()
