"""The event loop goes first: it has little to do, and everybody waits for it."""

import os
import sys
from contextlib import suppress
from threading import get_native_id

_STEP_DOWN = 10
"""In units of `nice`: with every core busy, the loop's thread gets ten times a worker's share."""

_SWITCH_S = 0.0005
"""Under full load it cut the slowest answers of a probe to a third; shorter ones gained no more."""


def step_back() -> None:
    """Let the thread that calls this have the cores only when the event loop does not need them.

    Without it, probes and refusals wait in line behind decoding and inference exactly when there is most of
    both. Linux gives each thread a priority of its own.
    """
    thread = get_native_id()
    with suppress(OSError):  # not allowed here: everything works, only less promptly
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _STEP_DOWN)


def let_the_loop_in() -> None:
    """Make a worker that runs Python code pass the interpreter on sooner than after Python's own 5 ms.

    The event loop needs it anew after each of its many short waits. For the process's owner, once.
    """
    sys.setswitchinterval(_SWITCH_S)
