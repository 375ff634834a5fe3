"""Notice that a client hangs up, and stop its work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from pictor_gateway.errors import ClientGone


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncIterator[None]:
    """Run the block for as long as the client is there. The whole body must have been read.

    Raises:
        ClientGone: it hung up; the block was cancelled wherever it waited.
    """
    handler = asyncio.current_task()
    if handler is None:
        raise RuntimeError("a request is handled in a task")
    watch = _Watch(handler)
    watching = asyncio.create_task(_until_gone(receive))
    watching.add_done_callback(watch.notice)
    try:
        yield
    except asyncio.CancelledError as error:
        if watch.fired and handler.uncancel() <= watch.cancelled_before:
            raise ClientGone("The client closed the connection before its answer was ready.") from error
        raise
    finally:
        watch.over = True
        watching.cancel()


class _Watch:
    """Cancels the handler once, and only inside the block: after it the answer is on its way."""

    def __init__(self, handler: asyncio.Task[object]) -> None:
        self._handler = handler
        self.cancelled_before = handler.cancelling()
        self.fired = False
        self.over = False

    def notice(self, watching: asyncio.Task[None]) -> None:
        if not self.over and not watching.cancelled():
            self.fired = True
            self._handler.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
