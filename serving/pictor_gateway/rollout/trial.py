"""One canary under trial: what it made of its pictures, and when that is enough to take it out."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Final, Literal

from pictor_gateway.backends.protocol import ServedVersion
from pictor_gateway.rollout.window import Durations, Tally

BreachKind = Literal["errors", "latency", "agreement"]

_PERCENTILE: Final = 0.95

_NOISE_S: Final = 0.002
"""A canary is not too slow for less than this, whatever the ratio: a busy event loop alone takes as long."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """What a canary must keep to, over its last `window` pictures: see the settings canary_*."""

    window: int
    max_error_ratio: float
    max_latency_ratio: float
    min_agreement: float

    @property
    def most_failed(self) -> int:
        """How many pictures of the window may fail."""
        return floor(self.max_error_ratio * self.window + _ROUNDING)

    @property
    def most_other(self) -> int:
        """How many mirrored pictures of the window it may answer otherwise than stable."""
        return floor((1 - self.min_agreement) * self.window + _ROUNDING)


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a canary gets no more traffic; `reason` is a sentence for operators."""

    kind: BreachKind
    reason: str


class Trial:
    """A canary beside the version `stable`. After a breach nothing is taken in any more.

    Failures and disagreements are judged as soon as there are more than a whole window may hold, durations
    when the window is full: only those of requests that it answered itself, for a mirrored one has to share
    the machine with the next user's. Each is compared with the slower one of stable's last before and first
    after it: a canary with a hundredth of the traffic would else answer for load that stable's own window has
    forgotten, and of several requests that one stall held up, for those that happened to be the canary's.
    """

    def __init__(
        self, canary: ServedVersion, stable: int, rules: Rules, on_breach: Callable[["Trial"], None]
    ) -> None:
        self.canary = canary
        self.stable = stable
        self.breach: Breach | None = None
        self.pictures = 0
        """All that it was asked for so far, seen or mirrored."""
        self.stable_answers = 0
        """Requests that stable has answered beside it."""
        self._rules = rules
        self._on_breach = on_breach
        self._failures = Tally(rules.window)
        self._others = Tally(rules.window)
        self._durations = Durations(rules.window)
        self._stable_durations = Durations(rules.window)
        self._stable_s = 0.0
        self._uncompared: deque[tuple[float, float]] = deque(maxlen=rules.window)

    @property
    def agreement(self) -> float | None:
        """The share of the latest mirrored pictures that it answered as stable did; None before any."""
        return 1 - self._others.hits / self._others.size if self._others.size else None

    def note_stable(self, seconds: float) -> None:
        """Take in that stable answered a request, and how long it took."""
        self.stable_answers += 1
        self._stable_s = seconds
        while self._uncompared:
            its_s, before_s = self._uncompared.popleft()
            self._compare(its_s, max(before_s, seconds))

    def note_pictures(self, answered: int, failed: int) -> None:
        """Take in what became of pictures that stable could answer."""
        if self.breach is not None:
            return
        self.pictures += answered + failed
        self._failures.note(False, answered)
        self._failures.note(True, failed)
        rules = self._rules
        if self._failures.hits > rules.most_failed:
            self._end(
                "errors",
                f"{self._failures.hits} of its last {self._failures.size} pictures failed; "
                f"of {rules.window} at most {rules.most_failed} may.",
            )

    def note_duration(self, seconds: float) -> None:
        """Take in how long it took for a user's request: judged when stable has answered the next one."""
        self._uncompared.append((seconds, self._stable_s))

    def _compare(self, seconds: float, stable_s: float) -> None:
        if self.breach is not None:
            return
        self._durations.note(seconds)
        self._stable_durations.note(stable_s)
        if not self._durations.full:
            return
        its_s = self._durations.percentile(_PERCENTILE)
        stables_s = self._stable_durations.percentile(_PERCENTILE)
        if its_s > max(self._rules.max_latency_ratio * stables_s, stables_s + _NOISE_S):
            self._end(
                "latency",
                f"Its 95th percentile is {its_s * 1000:.1f} ms, that of version {self.stable} "
                f"{stables_s * 1000:.1f} ms; it may be {self._rules.max_latency_ratio:g} times as long.",
            )

    def note_mirrored(self, agreed: int, other: int) -> None:
        """Take in how many pictures it answered as stable did, and how many otherwise."""
        if self.breach is not None:
            return
        self._others.note(False, agreed)
        self._others.note(True, other)
        rules = self._rules
        if self._others.hits > rules.most_other:
            self._end(
                "agreement",
                f"It answered {self._others.hits} of its last {self._others.size} mirrored pictures other "
                f"than version {self.stable} did; of {rules.window} at most {rules.most_other} may differ.",
            )

    def _end(self, kind: BreachKind, reason: str) -> None:
        self.breach = Breach(kind, reason)
        self._on_breach(self)
