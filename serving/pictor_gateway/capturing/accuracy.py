"""How often each version was right of late, as far as its users say."""

from collections import OrderedDict

from pictor_gateway.telemetry.learning_metrics import LearningMetrics

WINDOW = 1000
"""The latest judged predictions of a version that its live accuracy is taken over."""

_MOST_VERSIONS = 64

Version = tuple[str, int]


class LiveAccuracy:
    """Counts judged predictions, and shows the share of correct ones in each version's window."""

    def __init__(self, metrics: LearningMetrics) -> None:
        self._metrics = metrics
        self._windows: OrderedDict[Version, OrderedDict[str, bool]] = OrderedDict()

    def note(self, version: Version, sample_id: str, correct: bool, *, first: bool) -> None:
        """Take a judgement in. One that is not the `first` of its prediction replaces the earlier one."""
        labels = (version[0], str(version[1]))
        if first:
            self._metrics.feedback.labels(*labels, "correct" if correct else "wrong").inc()
        window = self._windows.setdefault(version, OrderedDict())
        self._windows.move_to_end(version)
        if first or sample_id in window:
            window[sample_id] = correct
        if len(window) > WINDOW:
            window.popitem(last=False)
        if window:
            self._metrics.live_accuracy.labels(*labels).set(sum(window.values()) / len(window))
        if len(self._windows) > _MOST_VERSIONS:
            self._windows.popitem(last=False)
