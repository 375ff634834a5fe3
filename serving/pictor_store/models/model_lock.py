"""The lock of whoever changes a model: one process, and in it one thread, which may take it again."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pictor_store.models.reported import WRITE_ADVICE, reported
from pictor_store.places import Held, Place

_LOCK = ".lock"


class ModelLock(threading.local):
    """The lock of the model in the folder `name` of `place`. Every thread sees its own."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._held: Held | None = None

    @property
    def mine(self) -> bool:
        """Whether this thread took it."""
        return self._held is not None

    def check(self) -> None:
        """Make sure that it was not lost since it was taken, if it was.

        Raises:
            StoreLocked: another process has it.
        """
        if self._held is not None:
            self._held.check()

    @contextmanager
    def hold(self, wait_s: float) -> Iterator[None]:
        """Take it, unless this thread has it.

        Raises:
            StoreLocked: another process held it all the time.
            StoreError: the store cannot be written.
        """
        if self._held is not None:
            self._held.check()
            yield
            return
        with ExitStack() as stack:
            with reported(f"{self._place.where}/{self._name} cannot be changed", WRITE_ADVICE):
                self._held = stack.enter_context(self._place.lock(f"{self._name}/{_LOCK}", wait_s))
            try:
                yield
            finally:
                self._held = None
