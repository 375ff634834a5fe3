"""Ctrl-C and SIGTERM while a run trains: noted, so that the step and a checkpoint can be finished."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop(Protocol):
    """What the loop looks at after each step."""

    @property
    def received(self) -> str | None:
        """What asks for a stop; None as long as nothing does."""


class StopRequest:
    """A context in which the first SIGINT or SIGTERM is noted; a second one does what it always does.

    Outside Python's main thread, where handlers cannot be installed, nothing is noted and nothing changes.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        self._give_back()

    def _give_back(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(
                number, signal.SIG_DFL if handler is None else handler
            )  # None: set by other than Python
