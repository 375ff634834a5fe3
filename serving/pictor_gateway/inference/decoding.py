"""The threads that decode: never more of them than told, shared fairly between requests."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from threading import Lock
from time import perf_counter
from typing import Generic, TypeVar

from pictor_gateway.inference.outlook import Outlook
from pictor_gateway.inference.service_times import MovingAverage
from pictor_gateway.process.priority import step_back

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """What a piece of work gave, and from when to when a thread was at it, on `perf_counter`'s clock."""

    result: Result
    began: float
    ended: float


class DecodeThreads:
    """Takes work in lists, one list per request.

    A list takes turns with the others: it has as many pieces in line as there are threads, and each gets in
    line again when the one before it is done. So a request with one picture does not wait for all sixteen of
    another. The next piece is put in line by the thread itself, which spares the event loop a turn.
    """

    def __init__(self, threads: int) -> None:
        self._width = threads
        self._threads = ThreadPoolExecutor(threads, "pictor-decode", initializer=step_back)
        self._lock = Lock()
        self._unfinished = 0
        self._duration = MovingAverage()

    def close(self) -> None:
        """Give the threads back; what still waits for one is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def unfinished(self) -> int:
        """Pieces of work that wait for a thread or are at one."""
        return self._unfinished

    def outlook(self, pieces: int) -> Outlook:
        """Return what `pieces` that came now would have to expect."""
        each_s = self._duration.value
        return Outlook(self._unfinished * each_s / self._width, ceil(pieces / self._width) * each_s)

    async def run(self, works: Sequence[Callable[[], Result]]) -> list[Done[Result]]:
        """Return what each of `works` gave, in order; the first that raises ends them all.

        Cancelling drops what no thread has begun. What one has begun goes on, and its result is lost.
        """
        answer: asyncio.Future[list[Done[Result]]] = asyncio.get_running_loop().create_future()
        turns = _Turns(self, works, answer)
        with self._lock:
            self._unfinished += len(works)
        try:
            for _ in range(min(self._width, len(works))):
                self.line_up(turns)
            return await answer
        finally:
            with self._lock:
                self._unfinished -= turns.drop()

    def line_up(self, turns: "_Turns[Result]") -> None:
        """Put the next piece of a list at the end of the line."""
        self._threads.submit(turns.take)

    def count(self, seconds: float | None) -> None:
        """Take in that a piece of work is over: it took `seconds`, unless it came to nothing."""
        with self._lock:
            self._unfinished -= 1
            if seconds is not None:
                self._duration.note(seconds)


class _Turns(Generic[Result]):
    """One request's list, from which threads take. The last of them wakes the event loop, once."""

    def __init__(
        self,
        threads: DecodeThreads,
        works: Sequence[Callable[[], Result]],
        answer: asyncio.Future[list[Done[Result]]],
    ) -> None:
        self._threads = threads
        self._loop = answer.get_loop()
        self._answer = answer
        self._lock = Lock()
        self._left = deque(enumerate(works))
        self._done: dict[int, Done[Result]] = {}
        self._size = len(works)

    def drop(self) -> int:
        """Forget what no thread has begun; return how much that was."""
        with self._lock:
            dropped = len(self._left)
            self._left.clear()
        return dropped

    def take(self) -> None:
        """Do the next piece, in a thread."""
        with self._lock:
            if not self._left:  # the request is over
                return
            number, work = self._left.popleft()
        began = perf_counter()
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - a thread's own door: whoever waits gets it
            self._threads.count(None)
            self._loop.call_soon_threadsafe(self._fail, error)
        else:
            ended = perf_counter()
            self._threads.count(ended - began)
            self._keep(number, Done(result, began, ended))

    def _keep(self, number: int, done: Done[Result]) -> None:
        with self._lock:
            self._done[number] = done
            complete, more = len(self._done) == self._size, bool(self._left)
        if more:
            self._threads.line_up(self)
        elif complete:
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self._answer.done():
            self._answer.set_result([self._done[number] for number in range(self._size)])

    def _fail(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)
