"""Work in threads, answers in order. Decoding and hashing release the interpreter's lock: threads suffice."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")

MAX_THREADS: Final = 16
"""More would wait for the disk, each with a whole file in memory."""


def in_order(work: Callable[[Task], Answer], tasks: Iterable[Task]) -> Iterator[Answer]:
    """Yield `work(task)` for each task, in the order of the tasks, a few ahead of the reader.

    At most two answers for each thread wait in memory. When the reader stops, or Ctrl-C comes, nothing new
    begins.
    """
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pictor-data")
    waiting: deque[Future[Answer]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
