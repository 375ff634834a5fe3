"""A mirror that goes on: it looks, brings what is new, and tries again what failed, ever more slowly."""

import logging
from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from pictor_store.errors import StoreError
from pictor_store.mirroring.mirror import Glance, Mirror, Passed

log = logging.getLogger("pictor.store")

_ANYWAY_S: Final = 3600.0
"""A pass is due after this time even if no event is new: somebody may have removed files by hand."""

_MOST_DOUBLINGS: Final = 5
"""Of the time between two tries: at 15 s, 8 minutes. A damaged version is downloaded in vain each time.

An event that is new does not wait for that.
"""

_MOST_GLANCE_DOUBLINGS: Final = 3
"""While the store cannot be read: at 15 s, two minutes until its return is noticed."""

_REMOVAL_POLL_S: Final = 1.0

Report = Callable[[Passed], None]
"""Told of each pass that brought something, or did not work."""


class Following:
    """One mirror, followed every `poll_interval_s` seconds."""

    def __init__(
        self,
        mirror: Mirror,
        poll_interval_s: float,
        report: Report,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._mirror = mirror
        self._poll_interval_s = poll_interval_s
        self._report = report
        self._clock = clock
        self._pause = pause
        self._last: Glance | None = None
        self._again_at = 0.0
        self._failures = 0
        self._blind = 0

    def run(self) -> None:
        """Follow, whatever happens, until the process ends."""
        while True:
            self._pause(self.step())

    def step(self) -> float:
        """Look once, and do what is due; return the seconds until the next look."""
        try:
            glance = self._mirror.glance()
            self._blind = 0
            self._pass(glance)
            self._mirror.let_go()
        except (StoreError, OSError) as error:
            self._blind += 1
            self._report(Passed(changed=False, troubles=(str(error),)))
        except Exception as error:  # the process's own door: a surprise must not take servers out of traffic
            self._blind += 1
            fields = {"reason": f"{type(error).__name__}: {error}"}
            log.exception("the mirror failed, and goes on", extra={"fields": fields})
        return self._poll_interval_s * (1 << min(self._blind, _MOST_GLANCE_DOUBLINGS))

    def _pass(self, glance: Glance) -> None:
        news = glance != self._last
        if not news and self._clock() < self._again_at:
            return
        passed = self._mirror.bring(glance)
        self._last = glance
        self._failures = 0 if news or not passed.troubles else self._failures + 1
        wait_s = self._poll_interval_s * (1 << min(self._failures, _MOST_DOUBLINGS))
        self._again_at = self._clock() + (wait_s if passed.troubles else _ANYWAY_S)
        if passed.changed or passed.troubles:
            self._report(passed)


def once(mirror: Mirror, pause: Callable[[float], None] = sleep) -> Passed:
    """Bring all that is wanted now, and wait until what goes is gone.

    Raises:
        StoreError: the store cannot be read, or a version not removed.
        OSError: this machine's folder cannot be read.
    """
    passed = mirror.bring(mirror.glance())
    mirror.let_go()
    while mirror.has_leavers:
        pause(_REMOVAL_POLL_S)
        mirror.let_go()
    return passed
