"""What a request that came now would have to wait for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outlook:
    """Seconds until work on it would begin, because of what came earlier, and seconds for the work itself.

    Both are 0 where nothing was measured yet; `wait_s` is 0 where nothing is ahead of it.
    """

    wait_s: float = 0.0
    work_s: float = 0.0
