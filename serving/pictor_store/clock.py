"""Moments and spans of time as they are written. No order is taken from them."""

from datetime import UTC, datetime
from typing import Final

DAY_S: Final = 86_400
"""Seconds in a day."""


def now_utc() -> str:
    """Return the time for people to read: 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
