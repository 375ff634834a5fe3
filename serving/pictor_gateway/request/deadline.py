"""How long a request may still take."""

from dataclasses import dataclass
from time import monotonic
from typing import Self

from pictor_gateway.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock; asked before each piece of work, in whichever thread does it."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline `seconds` from now."""
        return cls(monotonic() + seconds)

    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - monotonic()

    def check(self, stage: str) -> None:
        """Refuse to begin `stage` too late.

        Raises:
            DeadlineExceeded: the moment has passed.
        """
        if self.left_s() <= 0:
            raise DeadlineExceeded(stage)
