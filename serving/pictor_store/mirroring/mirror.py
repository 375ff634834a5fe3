"""From a store to a folder, and from there to TensorFlow Serving: one pass, and what it lets go later."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Final

from pictor_contract import is_model_name
from pictor_store import changes
from pictor_store.durable import replace_file
from pictor_store.errors import RolloutFailed, StoreError
from pictor_store.mirroring.folder import Brought, MirrorFolder
from pictor_store.mirroring.seen import MirroredStore, Seen, look_at
from pictor_store.models.history import HISTORY_FOLDER, sequence_of
from pictor_store.models.reported import reported
from pictor_store.models.store import ModelStore
from pictor_store.serving.channel import CallFailed
from pictor_store.serving.servers import Servers

Glance = Mapping[str, tuple[int, ...]]
"""Each model's events, by their sequences: while they are the same, so is what is to be served."""

_COPY_ADVICE: Final = "Make the store reachable, or room and the right to write here, then try again"


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass came to: whether versions or labels are new here, and what did not work."""

    changed: bool
    troubles: tuple[str, ...]


class Mirror:
    """Copies `source` into `folder`, and has `servers` follow; of `only` these models, if any are named.

    A version that is wanted no more goes `keep_s` seconds after the servers were told to let it go.
    """

    def __init__(
        self,
        source: ModelStore,
        folder: MirrorFolder,
        servers: Servers,
        only: Sequence[str] = (),
        keep_s: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._folder = folder
        self._servers = servers
        self._only = only
        self._keep_s = keep_s
        self._clock = clock
        self._unwanted: dict[tuple[str, int], float] = {}

    @property
    def has_leavers(self) -> bool:
        """Whether versions wait here to be removed."""
        return bool(self._unwanted)

    def glance(self) -> Glance:
        """Return what tells whether a pass is due: by one listing, and one for each model.

        Raises:
            StoreError: the store cannot be read.
        """
        place = self._source.place
        with reported(f"{self._source.where} cannot be read"):
            names = [name for name in place.names() if is_model_name(name) and self._is_asked_for(name)]
            listed = {name: place.names(f"{name}/{HISTORY_FOLDER}") for name in names}
        found = {name: (sequence_of(file) for file in files) for name, files in listed.items()}
        return {
            name: tuple(sorted(one for one in all_of if one is not None)) for name, all_of in found.items()
        }

    def bring(self, glance: Glance) -> Passed:
        """Bring what is wanted, then have the servers follow. What does not work for a model stays as it was.

        Raises:
            OSError: this machine's folder cannot be read.
        """
        seen: dict[str, Seen] = {}
        changed, troubles = False, []
        for name, sequences in glance.items():
            try:
                one, brought = self._bring(name, sequences)
            except StoreError as error:
                troubles.append(self._stays(name, str(error)))
                continue
            if one is not None:
                seen[name], changed = one, changed or brought.changed
                troubles += [*brought.troubles, *_unread(one)]
        troubles += self._missing(glance, told=bool(troubles))
        for name, one in seen.items():  # a version that is wanted again is none of those that go
            self._forget_leavers(name, one.wanted)
        if trouble := self._tell(MirroredStore(self._folder.place, seen, self._only)):
            troubles.append(trouble)
        else:
            self._note_leavers(seen)
        return Passed(changed, tuple(troubles))

    def let_go(self) -> None:
        """Remove the versions whose time has come.

        Raises:
            StoreError: one cannot be removed.
        """
        now = self._clock()
        for (name, version), since in list(self._unwanted.items()):
            if now - since >= self._keep_s:
                with reported(f"{self._folder.place.where}/{name}/{version} cannot be removed"):
                    self._folder.remove(name, version)
                del self._unwanted[name, version]

    def _bring(self, name: str, sequences: Sequence[int]) -> tuple[Seen | None, Brought]:
        model = self._source.model(name)
        with reported(f"{model.where} cannot be mirrored", _COPY_ADVICE):
            seen = look_at(model, sequences, self._folder.events(name))
            if seen is None:
                return None, Brought(changed=False)
            return seen, self._folder.bring(self._source.place, seen)

    def _is_asked_for(self, name: str) -> bool:
        return not self._only or name in self._only

    def _missing(self, found: Collection[str], *, told: bool) -> list[str]:
        """Say which models should be there. A bucket that went away looks as if it were empty."""
        here = [name for name in self._folder.names() if self._is_asked_for(name)]
        lost = sorted({*self._only, *here} - set(found))
        words = [
            self._stays(name, f"{self._source.where} has no model {name}, or is not there.") for name in lost
        ]
        if not (words or here or told):
            words = [
                f"{self._source.where} has no model yet, or is not there. Train one: it is then brought."
            ]
        return words

    def _stays(self, name: str, trouble: str) -> str:
        return f"{trouble} What was mirrored of it stays." if self._folder.versions(name) else trouble

    def _tell(self, store: MirroredStore) -> str:
        """Have the file and the servers follow; return what hinders that, or ""."""
        if not self._servers or not store.names():
            return ""
        before = _content(self._servers.config_file)
        try:
            # Without a file nobody can have begun with another one: there is no server yet.
            changes.sync(store, self._servers if before is not None else self._alone())
        except RolloutFailed as error:
            return self._settle(store, error, before)
        except StoreError as error:
            return str(error)
        return ""

    def _settle(self, store: MirroredStore, why: RolloutFailed, before: bytes | None) -> str:
        """Leave the file as is best for a server that did not follow; return why it did not."""
        file = self._servers.config_file
        if file is None or before is None:
            return str(why)
        try:
            if isinstance(why.__cause__, CallFailed):
                # It is not there, perhaps for what the file says: it begins with what holds now.
                changes.sync(store, self._alone())
            elif _content(file) != before:
                # It is there and goes on with what it has: restarted, it begins with that again.
                replace_file(file, before)
        except (StoreError, OSError) as error:
            return f"{why} {error}"
        return str(why)

    def _alone(self) -> Servers:
        """Return the servers' file without them; the servers, if they have none."""
        return self._servers if self._servers.config_file is None else replace(self._servers, addresses=())

    def _forget_leavers(self, name: str, wanted: Collection[int]) -> None:
        for key in [key for key in self._unwanted if key[0] == name and key[1] in wanted]:
            del self._unwanted[key]

    def _note_leavers(self, seen: Mapping[str, Seen]) -> None:
        now = self._clock()
        for name in self._folder.names():
            here = set(self._folder.versions(name))
            if name in seen:
                leaving = here - set(seen[name].wanted)
            else:
                leaving = set() if self._is_asked_for(name) else here
            for version in leaving:
                self._unwanted.setdefault((name, version), now)


def _content(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except FileNotFoundError:
        return None


def _unread(seen: Seen) -> list[str]:
    if not seen.unread:
        return []
    events = ", ".join(map(str, seen.unread))
    return [
        f"Events of {seen.name} cannot be read: {events}. What a rollback goes to may be another version."
    ]
