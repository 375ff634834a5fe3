"""Waiting for other machines inside TensorFlow, where Python's signal handlers do not get a turn."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pictor_training.errors import Interrupted

_HEEDED: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def blocked(last_words: str) -> Iterator[None]:
    """End the process at once, as one that was interrupted, if SIGINT or SIGTERM comes within the block.

    To be used around calls that do not come back by themselves and have nothing to save. Signals without a
    Python handler do what they do anyway. To be entered in the main thread.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reading, last_words), daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writing.close()
        watch.join()
        reading.close()


def _watch(reading: socket.socket, last_words: str) -> None:
    while received := reading.recv(1):
        if received[0] in _HEEDED:
            os.write(2, f"pictor train: {last_words}\n".encode())
            os._exit(Interrupted.exit_code)
