"""One piece of work for all who ask for it at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable


class Coalesced:
    """Runs `work` one at a time. Every call waits for a run that began after the call, and calls share it."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return when it is done; whoever gives up waiting leaves it to the others."""
        if self._next is None:
            self._next = asyncio.create_task(self._run_after(self._running))
        await asyncio.shield(self._next)

    def cancel(self) -> None:
        """End what runs and what waits to."""
        for task in (self._running, self._next):
            if task is not None:
                task.cancel()

    async def _run_after(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        self._running, self._next = self._next, None
        await self._work()
