"""Drawn pictures that differ as photographs do: in light, detail, size and what is on them."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictor_contract import DataStatistics
from pictor_contract.statistics import FEATURES, answer_bins, bins_of, picture_bins, shares_from

SIDE = 48


@dataclass(frozen=True)
class Photo:
    """One picture as the model gets it, its size as it was sent, and a model's answer."""

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    scores: NDArray[np.float32]

    def bins(self) -> dict[str, int]:
        """Return its bin for each feature."""
        return answer_bins(self.scores) | picture_bins(self.pixels, self.size)


def take_photos(
    seed: int, count: int, *, mix: Sequence[float] = (0.5, 0.3, 0.2), sureness: float = 6.0
) -> list[Photo]:
    """Take pictures of `mix`; the model is the surer the higher `sureness`."""
    random = np.random.default_rng(seed)
    return [_take(random, mix, sureness) for _ in range(count)]


def darker(photo: Photo) -> Photo:
    """Return it as if at dusk."""
    return replace(photo, pixels=(photo.pixels * 0.4).astype(np.uint8))


def blurred(photo: Photo) -> Photo:
    """Return it out of focus: the mean of each 3 x 3 pixels."""
    padded = np.pad(photo.pixels.astype(np.int64), ((1, 1), (1, 1), (0, 0)), "edge")
    height, width, _ = photo.pixels.shape
    near = [padded[top : top + height, left : left + width] for top in range(3) for left in range(3)]
    return replace(photo, pixels=(sum(near) // 9).astype(np.uint8))


def larger(photo: Photo) -> Photo:
    """Return it as a newer camera takes it: the same to the model, twice the sides."""
    return replace(photo, size=(2 * photo.size[0], 2 * photo.size[1]))


def count_bins(photos: Iterable[Photo], labels: int = 3) -> dict[str, list[int]]:
    """Count photos by bin, for each feature."""
    counts = {feature: [0] * bins_of(feature, labels) for feature in FEATURES}
    for photo in photos:
        for feature, place in photo.bins().items():
            counts[feature][place] += 1
    return counts


def statistics_of(photos: Sequence[Photo], labels: int = 3) -> DataStatistics:
    """Return what a training on these photos writes into its contract."""
    counts = count_bins(photos, labels)
    shares: dict[str, Any] = {feature: shares_from(counts[feature]) for feature in FEATURES}
    return DataStatistics(pictures=len(photos), held_out=len(photos), **shares)


def draw_pictures(
    seed: int, count: int, *, light: float = 1.0, size: tuple[int, int] = (40, 30)
) -> list[bytes]:
    """Draw noise of random tints, as encoded pictures."""
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(count):
        tint = random.uniform(60, 190, 3)
        pixels = tint + random.normal(0, 40, (size[1], size[0], 3))
        file = io.BytesIO()
        Image.fromarray((pixels * light).clip(0, 255).astype(np.uint8)).save(file, "PNG")
        drawn.append(file.getvalue())
    return drawn


def _take(random: np.random.Generator, mix: Sequence[float], sureness: float) -> Photo:
    layout = np.kron(random.integers(0, 160, (6, 6, 3)), np.ones((SIDE // 6, SIDE // 6, 1)))
    light, grain = random.normal(60, 20), random.uniform(5, 30)
    pixels = layout + light + random.normal(0, grain, layout.shape)
    label = int(random.choice(len(mix), p=mix))
    powers = random.exponential(1, len(mix))
    powers[label] += random.gamma(sureness, 0.5) + powers.max()
    scores = np.exp(powers - powers.max())
    width = int(random.choice([320, 480, 640, 800]))
    return Photo(
        pixels.clip(0, 255).astype(np.uint8),
        (width, width * 3 // 4),
        (scores / scores.sum()).astype(np.float32),
    )
