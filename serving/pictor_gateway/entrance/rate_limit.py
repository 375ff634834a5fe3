"""A token bucket for each API key: a steady rate, and a burst after a pause."""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` requests on average, `burst` of them at once after a pause."""

    per_second: float
    burst: int

    def __str__(self) -> str:
        return f"{self.per_second:g} requests a second, {self.burst} at once after a pause"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request was told: refused if `retry_after_s`, and how many more may come."""

    limit: int
    remaining: int
    full_in_s: int
    retry_after_s: int | None = None

    def headers(self) -> dict[str, str]:
        """Return the `RateLimit-*` headers that clients' libraries read."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in_s),
        }


class Bucket:
    """Holds at most `rate.burst` tokens; each request takes one. Used from the event loop only."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._filled_at = now

    def follow(self, rate: Rate, now: float) -> None:
        """Go on under another rate; what was saved up stays, as far as it fits."""
        self._fill(now)
        self._rate = rate
        self._tokens = min(self._tokens, float(rate.burst))

    def take(self, now: float) -> Allowance:
        """Take a token, or say when there will be one."""
        self._fill(now)
        rate = self._rate
        missing = 1.0 - self._tokens
        if missing <= 0:
            self._tokens -= 1.0
        remaining = int(self._tokens)
        full_in_s = ceil((rate.burst - self._tokens) / rate.per_second)
        if missing <= 0:
            return Allowance(rate.burst, remaining, full_in_s)
        # A refused request takes nothing, so that whoever waits as told gets through.
        return Allowance(rate.burst, remaining, full_in_s, max(1, ceil(missing / rate.per_second)))

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._filled_at) * self._rate.per_second
        self._tokens = min(float(self._rate.burst), self._tokens + gained)
        self._filled_at = now
