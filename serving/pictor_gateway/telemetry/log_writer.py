"""Write log lines in a thread of their own: whoever reads them slowly, or not at all, holds up no request."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from select import PIPE_BUF
from threading import Thread
from typing import TextIO

_MOST_WAITING = 4096
"""Lines that may wait to be written, some 2 MB; what comes meanwhile is dropped and counted."""

_MOST_AT_ONCE = 256
"""Lines taken from the queue in one go."""

_LAST_WORDS_S = 2.0
"""Seconds that the end of the process waits for somebody to read the last lines."""


class BackgroundWriter(logging.Handler):
    """Formats where the record was made, writes elsewhere.

    The thread starts with a line, so that it is in the process that logs and not in its parent. It writes to
    the file descriptor itself: a thread stuck inside `sys.stderr` at the end of the process would hold its
    lock, and the interpreter aborts over that.
    """

    def __init__(self, stream: TextIO, most_waiting: int = _MOST_WAITING) -> None:
        super().__init__()
        self._descriptor = stream.fileno()
        self._most_waiting = most_waiting
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._dropped = 0
        self._lost = 0  # apart from the dropped: each is counted in a thread of its own
        self._told = 0
        self._thread: Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record's line to the writing thread, or drop it if too many wait."""
        if self._waiting.qsize() >= self._most_waiting:
            self._dropped += 1
            return
        self._waiting.put(self._line(record))
        if self._thread is None or not self._thread.is_alive():  # a fork takes no threads along
            self._thread = Thread(target=self._write_all, name="pictor-log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what waits, as long as somebody reads it. `logging` calls this when the process ends."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(_LAST_WORDS_S)
        super().close()

    def _write_all(self) -> None:
        closing = False
        while not closing:
            lines = [self._waiting.get()]
            with suppress(Empty):
                while len(lines) < _MOST_AT_ONCE:
                    lines.append(self._waiting.get_nowait())
            closing = None in lines
            self._lost += self._write([line for line in lines if line is not None])
            self._tell_dropped()

    def _write(self, lines: list[str]) -> int:
        """Write lines together, and return how many could not be: nobody reads, or there is no room."""
        lost = 0
        for together, count in _parts(lines):
            try:
                self._write_bytes(together)
            except OSError:
                lost += count
        return lost

    def _write_bytes(self, together: bytes) -> None:
        left = memoryview(together)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception:  # noqa: BLE001 - whatever is wrong with a record, whoever logs it must not fail
            return self.format(_note("a log record could not be written", by=record.name))

    def _tell_dropped(self) -> None:
        new = self._dropped + self._lost - self._told
        if new and not self._write([self.format(_note("log lines were dropped", dropped_log_lines=new))]):
            self._told += new


def _parts(lines: Iterable[str]) -> Iterator[tuple[bytes, int]]:
    """Join lines, and count them, to no more than a pipe takes whole: other processes may share it."""
    together, count = b"", 0
    for line in lines:
        encoded = f"{line}\n".encode("utf-8", "backslashreplace")
        if together and len(together) + len(encoded) > PIPE_BUF:
            yield together, count
            together, count = b"", 0
        together += encoded
        count += 1
    yield together, count


def _note(text: str, **fields: object) -> logging.LogRecord:
    return logging.getLogger("pictor.logs").makeRecord(
        "pictor.logs", logging.WARNING, __file__, 0, text, (), None, extra={"fields": fields}
    )
