"""How many calls may be repeated: a share of all calls, so that retries never become the load."""

_MOST_TOKENS = 10.0
"""Held at most, and at the start: a server that dies takes a handful of calls with it, and each of them is
to be answered elsewhere even before any other call has earned a retry."""


class RetryBudget:
    """Tokens: each first attempt earns `ratio` of one, each retry takes one. A ratio of 0 allows no retry."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._tokens = _MOST_TOKENS if ratio > 0 else 0.0

    def earn(self) -> None:
        """Count a first attempt."""
        if self._ratio > 0:
            self._tokens = min(_MOST_TOKENS, self._tokens + self._ratio)

    @property
    def spent(self) -> bool:
        """Whether no retry is allowed now."""
        return self._tokens < 1

    def take(self) -> None:
        """Pay for a retry."""
        self._tokens -= 1
