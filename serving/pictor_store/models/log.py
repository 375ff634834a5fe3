"""Reading and lengthening one model's history, wherever it lies."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pictor_store.errors import ChangeRefused, StoreError
from pictor_store.models.history import HISTORY_FOLDER, Event, event_file, parse_event, sequence_of
from pictor_store.places.place import Place

log = logging.getLogger("pictor.store")

_READERS = 16
"""Threads that read a history in object storage."""

_TRIES = 20
"""Others who record at the same moment win at most so often before something else must be wrong."""


class History:
    """The events of the model in the folder `name` of `place`. What fails raises OSError, or StoreError."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._folder = f"{name}/{HISTORY_FOLDER}"

    def last(self) -> Event | None:
        """Return the event that tells what holds; one listing and one file.

        Raises:
            StoreError: it cannot be read as one.
        """
        sequences = self._sequences()
        return self._event(sequences[-1]) if sequences else None

    def events(self) -> list[Event]:
        """Return all events, rising; damaged ones before the last are left out, with a line in the log.

        Raises:
            StoreError: the last one cannot be read.
        """
        sequences = self._sequences()
        last = [self._event(sequence) for sequence in sequences[-1:]]
        return [event for event in self._whole_events(sequences[:-1]) if event is not None] + last

    def append(self, made: Callable[[Event | None, int], Event], expected: int | None = None) -> Event:
        """Create the next event: what `made` returns for the last one and the new one's sequence.

        With `expected`, only if the last event is still that one (0: none). Otherwise `made` is asked again
        when another process was faster.

        Raises:
            ChangeRefused: another event came first, or it could not be read again.
        """
        for _ in range(_TRIES):
            last = self.last()
            sequence = last.sequence if last else 0
            if expected is not None and sequence != expected:
                break
            event = made(last, sequence + 1)
            try:
                self._create(event)
            except FileExistsError:
                continue
            return event
        raise ChangeRefused(
            f"{self._place.where}/{self._folder} has grown meanwhile: somebody else changed the model. "
            "Look at what it says now, then try again."
        )

    def _create(self, event: Event) -> None:
        """Create its file, unless nobody could read it."""
        name, content = event_file(event.sequence), event.written()
        try:
            parse_event(content, name, name)
        except StoreError as error:
            raise ChangeRefused(f"{error} Nothing was recorded.") from error
        self._place.create(f"{self._folder}/{name}", content)

    def _sequences(self) -> list[int]:
        found = (sequence_of(name) for name in self._place.names(self._folder))
        return sorted(sequence for sequence in found if sequence is not None)

    def _whole_events(self, sequences: list[int]) -> list[Event | None]:
        if self._place.local(self._folder) is not None:
            return [self._event_if_whole(sequence) for sequence in sequences]
        with ThreadPoolExecutor(_READERS) as readers:  # object storage answers late, but many at once
            return list(readers.map(self._event_if_whole, sequences))

    def _event_if_whole(self, sequence: int) -> Event | None:
        try:
            return self._event(sequence)
        except StoreError as error:
            log.warning("event left out", extra={"fields": {"reason": str(error)}})
            return None

    def _event(self, sequence: int) -> Event:
        name = event_file(sequence)
        path = f"{self._folder}/{name}"
        try:
            content = self._place.read(path)
        except OSError as error:
            raise StoreError(f"{self._place.where}/{path} cannot be read: {error}.") from error
        return parse_event(content, name, f"{self._place.where}/{path}")
