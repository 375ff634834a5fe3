"""A lock made of nothing but files that are created exclusively: for object storage, and NFS without locks.

::

    <name>/00000007.json     one file per term, written by its holder alone: who, which beat, whether it ended

The highest term holds the lock. Its holder writes it anew all the time; whoever waits and has watched it
unchanged for `lease_s` of its own clock creates the next term, which only one can. No two clocks are
compared, so none has to be right.
"""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

from pictor_store.errors import StoreLocked
from pictor_store.places.place import Held, Place

log = logging.getLogger("pictor.store")

LEASE_S = 30.0
"""Seconds without a beat after which a holder counts as dead."""

_BEATS_PER_LEASE = 5
_POLLS_PER_LEASE = 30


@dataclass(frozen=True, slots=True)
class _Term:
    holder: str
    beat: int = 0
    ended: bool = False

    def written(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@contextmanager
def leased(place: Place, name: str, wait_s: float, lease_s: float = LEASE_S) -> Iterator[Held]:
    """Hold the lock `name`, beaten from a thread of its own until the end.

    Raises:
        StoreLocked: another one held it all the time.
        OSError: the place cannot be read or written.
    """
    lease = _Lease(place, name, lease_s)
    lease.take(wait_s)
    lease.start()
    try:
        yield lease
    finally:
        lease.end()


class _Lease:
    def __init__(self, place: Place, name: str, lease_s: float) -> None:
        self._place, self._name, self._lease_s = place, name, lease_s
        self._mine = _Term(f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}")
        self._number = 0
        self._beaten_s = 0.0
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_over, name="lease", daemon=True)

    def take(self, wait_s: float) -> None:
        """Create the next term as soon as the last one ended or stands still."""
        started_s = since_s = time.monotonic()
        seen: tuple[int, bytes] | None = None
        while True:
            last = self._last()
            now_s = time.monotonic()
            if last != seen:
                seen, since_s = last, now_s
            free = last is None or _has_ended(last[1]) or now_s - since_s >= self._lease_s
            if free and self._took((last or (0, b""))[0] + 1):
                return
            if now_s - started_s >= wait_s:
                raise StoreLocked(
                    f"Another process has held {self._place.where}/{self._name} for {wait_s:g} s. "
                    "Try again when it has ended."
                )
            time.sleep(min(self._lease_s / _POLLS_PER_LEASE, max(0.001, wait_s)))

    def check(self) -> None:
        """Make sure that no other took over."""
        if not self._lost and time.monotonic() - self._beaten_s < self._lease_s:
            return
        raise StoreLocked(
            f"The lock {self._place.where}/{self._name} was lost: this process, or the store, stood still "
            f"for {self._lease_s:g} s. Try again."
        )

    def start(self) -> None:
        """Beat from now on."""
        self._thread.start()

    def end(self) -> None:
        """Let the next one in; what cannot be written now ends by itself."""
        self._over.set()
        self._thread.join()
        if not self._lost:
            self._write(replace(self._mine, ended=True))

    def _last(self) -> tuple[int, bytes] | None:
        numbers = self._numbers()
        if not numbers:
            return None
        try:
            return numbers[-1], self._place.read(self._path(numbers[-1]))
        except FileNotFoundError:  # its successor has cleaned up
            return numbers[-1], b""

    def _numbers(self) -> list[int]:
        stems = (name.removesuffix(".json") for name in self._place.names(self._name))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def _took(self, number: int) -> bool:
        before_s = time.monotonic()
        try:
            self._place.create(self._path(number), self._mine.written())
        except FileExistsError:
            return False
        numbers = self._numbers()
        if numbers[-1:] != [number]:  # made, ended and cleaned up between the look and the creation
            self._place.remove(self._path(number))
            return False
        self._number, self._beaten_s = number, before_s
        for old in numbers[:-1]:
            self._place.remove(self._path(old))
        return True

    def _beat_until_over(self) -> None:
        while not self._over.wait(self._lease_s / _BEATS_PER_LEASE) and not self._lost:
            self._mine = replace(self._mine, beat=self._mine.beat + 1)
            before_s = time.monotonic()
            if self._write(self._mine):
                self._beaten_s = before_s

    def _write(self, term: _Term) -> bool:
        try:
            if self._numbers()[-1:] != [self._number]:
                self._lost = True
                log.warning("lock lost", extra={"fields": {"lock": f"{self._place.where}/{self._name}"}})
                return False
            self._place.write(self._path(self._number), term.written())
        except OSError as error:
            log.warning("lock not renewed", extra={"fields": {"reason": str(error)}})
            return False
        return True

    def _path(self, number: int) -> str:
        return f"{self._name}/{number:08d}.json"


def _has_ended(content: bytes) -> bool:
    try:
        return bool(json.loads(content)["ended"])
    except (ValueError, KeyError, TypeError, RecursionError):  # foreign: whoever wrote it will not write on
        return False
