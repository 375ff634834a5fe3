"""How long calls of a model take: measured, forgotten slowly, and used to foresee the next."""

from dataclasses import dataclass

_WEIGHT = 0.2
"""Of the newest measurement in a moving average: the last ten decide."""

_WORTH_WAITING = 0.5
"""Waiting for company pays where a picture in a large batch costs at most this share of one alone."""

_GAIN = 0.9
"""A larger batch is worth it where a picture costs at most this share of what it costs in a smaller one."""

_TRY_LARGER = 16
"""Every so many calls a batch may be twice as large as seems worth it, in case that has changed."""


_SLOW = 4.0
"""Times as long as expected: what took even longer is noted as this."""


@dataclass(slots=True)
class MovingAverage:
    """An exponentially weighted mean; `value` is 0 before anything was measured."""

    value: float = 0.0
    measured: bool = False

    def note(self, value: float) -> None:
        """Take a measurement in."""
        self.value = self.value + _WEIGHT * (value - self.value) if self.measured else value
        self.measured = True


@dataclass(slots=True)
class _Sizes:
    """Batches of about the same size: what they held and how long they took, on average."""

    pictures: MovingAverage
    seconds: MovingAverage

    def estimate(self, size: int) -> float:
        return self.seconds.value * max(1.0, size / self.pictures.value)

    @property
    def each_s(self) -> float:
        return self.seconds.value / self.pictures.value


class ServiceTimes:
    """One version's calls, grouped by size: 1, 2, 3-4, 5-8, and so on."""

    def __init__(self) -> None:
        self._groups: dict[int, _Sizes] = {}
        self._noted = 0

    def note(self, size: int, seconds: float) -> None:
        """Take in that a call with `size` pictures took `seconds`.

        One that hung until it was repeated elsewhere says little of the next: it counts as a slow one.
        """
        group = self._groups.setdefault(_group_of(size), _Sizes(MovingAverage(), MovingAverage()))
        believable_s = _SLOW * self.estimate(size) if group.seconds.measured else seconds
        group.pictures.note(size)
        group.seconds.note(min(seconds, believable_s))
        self._noted += 1

    def note_at_least(self, size: int, seconds: float) -> None:
        """Take in that a call was given up after `seconds`: it says something only where it took long."""
        if seconds > self.estimate(size):
            self.note(size, seconds)

    def estimate(self, size: int) -> float:
        """Return how long a call with `size` pictures will take; 0 before anything was measured.

        A size that was not measured yet is taken to cost per picture what the next smaller one costs, which
        is too much rather than too little.
        """
        wanted = _group_of(size)
        if not self._groups:
            return 0.0
        smaller = [number for number in self._groups if number <= wanted]
        nearest = max(smaller) if smaller else min(self._groups)
        return self._groups[nearest].estimate(size)

    def patience_s(self, size: int) -> float:
        """Return how long `size` pictures should wait for company while the model is at work anyway.

        About one call's time where batches are cheap, as on a GPU. Nothing where a batch costs as much as
        its pictures one by one, as on a CPU: there an idle core is time lost.
        """
        if len(self._groups) < 2:  # noqa: PLR2004 - nothing to compare
            return 0.0
        small, large = self._groups[min(self._groups)], self._groups[max(self._groups)]
        return self.estimate(size) if large.each_s <= _WORTH_WAITING * small.each_s else 0.0

    def worthwhile(self, most: int) -> int:
        """Return how many pictures a call should have at most, `most` or less.

        As many as make each cheaper. More would only make the first ones wait for the last: on a CPU, where a
        batch costs as much as its pictures one by one, few are best; on a GPU many. What was not measured yet
        is tried step by step.
        """
        if not self._groups:
            return most
        cheapest = min(group.each_s for group in self._groups.values())
        enough = min(number for number, group in self._groups.items() if _GAIN * group.each_s <= cheapest)
        if enough == max(self._groups) or self._noted % _TRY_LARGER == 0:
            enough += 1
        return min(most, 1 << enough)


def _group_of(size: int) -> int:
    return (size - 1).bit_length()
