"""Whether the process is on its way out."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """Set by whoever receives the signals; read by readiness and by every answer."""

    draining: bool = False
