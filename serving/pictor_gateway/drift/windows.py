"""The windows of the versions that answer, and their scores for operators and metrics."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from pictor_gateway.backends.protocol import Backend, ServedVersion
from pictor_gateway.drift.window import DriftReading, DriftWindow
from pictor_gateway.learning_settings import LearningSettings
from pictor_gateway.telemetry.learning_metrics import LearningMetrics

_Key = tuple[str, int, str]
"""Name, version and the contract's digest: a version published anew under its old number is another."""


@dataclass(frozen=True, slots=True)
class VersionDrift:
    """What is known of one version that answers. `reading` is None where its contract has no statistics.

    `preferred`: it is the one that is meant by whoever names no version.
    """

    served: ServedVersion
    preferred: bool
    reading: DriftReading | None


class DriftWindows:
    """One for each version, empty when it begins to be served. For the event loop, but for `show`."""

    def __init__(self, settings: LearningSettings, backend: Backend, metrics: LearningMetrics) -> None:
        self._backend = backend
        self._most = settings.drift_window
        self._least = settings.drift_min_pictures
        self._metrics = metrics
        self._windows: dict[_Key, DriftWindow] = {}
        self._shown: set[tuple[str, str, str]] = set()
        self._showing = Lock()

    def of(self, served: ServedVersion) -> DriftWindow | None:
        """Return the version's window; None where its contract has no statistics to compare with."""
        statistics = served.contract.statistics
        if statistics is None:
            return None
        key = _key_of(served)
        window = self._windows.get(key)
        if window is None:
            self._forget_others()
            window = self._windows[key] = DriftWindow(served.name, served.version, statistics, self._most)
        return window

    def versions(self) -> list[VersionDrift]:
        """Return what is known of every version that answers now: by model, newest first."""
        self._forget_others()
        return [
            VersionDrift(served, served.version == model.meant, self._reading(served))
            for model in self._backend.models()
            for served in model.available
        ]

    def show(self, changed: Iterable[DriftWindow]) -> None:
        """Bring these windows' metrics up to date. Takes as long as a few pictures: not for the loop."""
        for window in changed:
            reading = window.reading(self._least)
            with self._showing:
                if not window.ended:
                    self._set(window.name, str(window.version), reading)

    def _set(self, name: str, version: str, reading: DriftReading) -> None:
        self._metrics.drift_pictures.labels(name, version).set(reading.pictures)
        for feature, score in reading.features.items():
            if score is not None:
                self._shown.add((name, version, feature))
                self._metrics.drift.labels(name, version, feature).set(score)

    def _reading(self, served: ServedVersion) -> DriftReading | None:
        window = self.of(served)
        return None if window is None else window.reading(self._least)

    def _forget_others(self) -> None:
        """Drop the windows of versions that others took the place of; not those of servers that are away."""
        answering = {
            model.name: {_key_of(served) for served in model.available} for model in self._backend.models()
        }
        for key in [*self._windows]:
            others = answering.get(key[0])
            if others is None or (others and key not in others):
                self._forget(key)

    def _forget(self, key: _Key) -> None:
        window = self._windows.pop(key)
        name, version = window.name, str(window.version)
        with self._showing:
            window.ended = True
            # Set to 0, for series that several processes share cannot be taken away.
            self._metrics.drift_pictures.labels(name, version).set(0)
            for shown in [one for one in self._shown if one[:2] == (name, version)]:
                self._metrics.drift.labels(*shown).set(0)
                self._shown.discard(shown)


def _key_of(served: ServedVersion) -> _Key:
    return served.name, served.version, served.digest
