"""How late the event loop is: whatever holds it keeps every other request waiting."""

import asyncio
from time import perf_counter

from prometheus_client import Histogram

_EVERY_S = 0.25


async def watch_lag(lag: Histogram) -> None:
    """Sleep again and again, and note how much longer it took than asked for."""
    while True:
        asleep = perf_counter()
        await asyncio.sleep(_EVERY_S)
        lag.observe(max(0.0, perf_counter() - asleep - _EVERY_S))
