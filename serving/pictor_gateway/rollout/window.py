"""The latest results of a version, judged at once however many are remembered."""

from bisect import bisect_left, insort
from collections import deque
from math import ceil


class Tally:
    """How many of the last `most` were so."""

    def __init__(self, most: int) -> None:
        self._last: deque[bool] = deque(maxlen=most)
        self.hits = 0

    @property
    def size(self) -> int:
        """How many are remembered."""
        return len(self._last)

    def note(self, hit: bool, times: int = 1) -> None:
        """Take in that it was so, or not, that many times; the oldest are forgotten."""
        for _ in range(times):
            if len(self._last) == self._last.maxlen:
                self.hits -= self._last[0]
            self._last.append(hit)
            self.hits += hit


class Durations:
    """The last `most` of them, also in order of length: so a percentile costs nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: deque[float] = deque()
        self._sorted: list[float] = []

    @property
    def full(self) -> bool:
        """Whether as many as are remembered were noted."""
        return len(self._last) == self._most

    def note(self, seconds: float) -> None:
        """Take one in; the oldest is forgotten."""
        if self.full:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]
        self._last.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, share: float) -> float:
        """Return the one that `share` of them do not exceed; there must be some."""
        return self._sorted[ceil(share * len(self._sorted)) - 1]
