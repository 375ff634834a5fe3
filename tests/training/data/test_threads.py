"""Work runs ahead of its reader, but only a little, and stops when the reader stops."""

from threading import Lock

import pytest

from pictor_training.data.threads import MAX_THREADS, in_order


def test_answers_come_in_the_order_of_the_tasks() -> None:
    """However long each takes."""
    assert [number * number for number in range(100)] == list(
        in_order(lambda number: number * number, range(100))
    )


def test_nothing_new_begins_once_the_reader_stops() -> None:
    """Ctrl-C arrives at the reader; a hundred thousand pictures must not follow it."""
    begun = []
    lock = Lock()

    def work(number: int) -> int:
        with lock:
            begun.append(number)
        if number == 3:
            raise KeyboardInterrupt
        return number

    with pytest.raises(KeyboardInterrupt):
        for _ in in_order(work, range(100_000)):
            pass
    assert len(begun) <= 4 + 2 * MAX_THREADS
