"""Whether one server may be given work; knows nothing of gRPC."""

from random import uniform
from time import monotonic

_MOST_STRIKES = 5
"""Failed answers in a row after which a server is no longer trusted."""
_MENDED = 0.25
"""Of a failure, by each good answer: a server that fails one time in three gets there as well."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_PENANCE_S = 1.0
"""Least pause after repeated failures: such a server answers polls as if nothing were wrong."""


class Health:
    """One server's circuit breaker: closed while `usable`, half open at each probe."""

    def __init__(self) -> None:
        self.usable = True
        self.ejections = 0
        self.ejected_at = 0.0
        self._strikes = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._penance_s = _PENANCE_S
        self._not_before = 0.0

    def good_answer(self) -> None:
        """Forget a part of a failure before."""
        if self._strikes:
            self._strikes = max(0.0, self._strikes - _MENDED)
            if not self._strikes:
                self._penance_s = _PENANCE_S

    def strike(self) -> bool:
        """Count a failed answer; True if it was one too many."""
        self._strikes += 1
        return self._strikes >= _MOST_STRIKES

    def eject(self) -> None:
        """Note that the server gets no more work."""
        self.usable = False
        self.ejections += 1
        self.ejected_at = monotonic()
        self._pause_s = _FIRST_PAUSE_S
        if self._strikes >= _MOST_STRIKES:
            self._pause_s = self._penance_s
            self._not_before = self.ejected_at + self._penance_s
            self._penance_s = min(_LONGEST_PAUSE_S, self._penance_s * 2)
        self._strikes = 0.0

    def readmit(self) -> bool:
        """Give it work again, unless it was so bad that it has to wait; return whether it gets work."""
        self.usable = monotonic() >= self._not_before
        return self.usable

    def next_probe_s(self) -> float:
        """Return the pause before the next probe; the one after that is twice as long, up to a limit."""
        pause_s = self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        return pause_s * uniform(1.0, 1.3)  # noqa: S311 - no secret: gateways must not probe in step

    def probe_waited(self) -> None:
        """Note that a probe waited for the connection in vain: another pause would only miss its coming."""
        self._pause_s = _FIRST_PAUSE_S
