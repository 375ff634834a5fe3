"""The latest pictures of one version, counted as the training data was."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from pictor_contract import DataStatistics
from pictor_contract.drift import drift_score
from pictor_contract.statistics import FEATURES, bins_of

_NO_BIN = -1


@dataclass(frozen=True, slots=True)
class DriftReading:
    """How far the pictures of a window are from the training data, by feature.

    None for a feature of which too few are there to tell, as the size where clients send tensors.
    """

    pictures: int
    features: Mapping[str, float | None]

    @property
    def score(self) -> float | None:
        """The furthest of them; None while there are too few pictures for any."""
        return max((score for score in self.features.values() if score is not None), default=None)


class DriftWindow:
    """The bins of a version's last `most` pictures. For several threads; nothing of it is kept on disk.

    `ended`: the version is not served any more, and its score is nobody's.
    """

    def __init__(self, name: str, version: int, statistics: DataStatistics, most: int) -> None:
        labels = len(statistics.class_mix)
        self.name = name
        self.version = version
        self.ended = False
        self._statistics = statistics
        self._most = most
        self._last: deque[tuple[int, ...]] = deque()
        self._counts = {feature: [0] * bins_of(feature, labels) for feature in FEATURES}
        self._lock = Lock()

    def add(self, bins: Mapping[str, int]) -> None:
        """Take in one picture by its bins, which need not be of every feature; the oldest is forgotten."""
        picture = tuple(bins.get(feature, _NO_BIN) for feature in FEATURES)
        with self._lock:
            self._last.append(picture)
            self._count(picture, 1)
            if len(self._last) > self._most:
                self._count(self._last.popleft(), -1)

    def reading(self, least: int) -> DriftReading:
        """Compare what is there now; a feature needs `least` pictures to have a score."""
        with self._lock:
            pictures = len(self._last)
            counts = {feature: list(by_bin) for feature, by_bin in self._counts.items()}
        return DriftReading(
            pictures, {feature: self._score(feature, counts[feature], least) for feature in FEATURES}
        )

    def _score(self, feature: str, counts: list[int], least: int) -> float | None:
        if sum(counts) < least:
            return None
        statistics = self._statistics
        return drift_score(statistics.shares(feature), statistics.taken_from(feature), counts)

    def _count(self, picture: tuple[int, ...], by: int) -> None:
        for feature, place in zip(FEATURES, picture, strict=True):
            if place != _NO_BIN:
                self._counts[feature][place] += by
