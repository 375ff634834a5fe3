"""What a configuration makes of the server: versions loaded and unloaded, labels moved."""

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import Any, Final

import grpc
from google.protobuf import text_format

from tfs.apis import model_server_config_pb2
from tfs.library import AVAILABLE, Library, Version
from tfs.models import Refused
from tfs.versions import LoadFailed, load_version

_POLL_S: Final = 0.02

ModelServerConfig = model_server_config_pb2.ModelServerConfig


class StartFailed(Exception):
    """The real server would end with exit code 255 before it opens a port."""


class Configured:
    """Serves what the last configuration says; a thread of its own loads and unloads.

    `labels_anywhere` is --allow_version_labels_for_unavailable_models; `load_s` is how long each load takes.
    """

    def __init__(self, library: Library, *, labels_anywhere: bool = False, load_s: float = 0.0) -> None:
        self.ignored: list[str] = []
        """Why a polled file was not applied, each time: the real server logs a line."""
        self._library = library
        self._labels_anywhere = labels_anywhere
        self._load_s = load_s
        self._turn = Lock()
        self._changed = Condition()
        self._over = Event()
        self._wake = Event()
        self._names = set(library.names())
        self._applied: Any = None
        self._threads: list[Thread] = []

    def begin(self, file: Path, poll_s: float) -> None:
        """Do what the file says, and return once every model answers; then read it again and again.

        Raises:
            StartFailed: it cannot be read, or what it says cannot be done.
        """
        try:
            self.reload(_read(file))
        except (OSError, text_format.ParseError) as error:
            raise StartFailed(f"Invalid protobuf file: {file}") from error
        except Refused as refused:
            raise StartFailed(f"{refused.code.name}: {refused.text}") from refused
        if poll_s:
            self._begin(lambda: self._follow(file, poll_s))

    def reload(self, config: Any) -> None:
        """Apply a configuration; return when models that were not there before answer.

        Raises:
            Refused: as the real server does. With UNKNOWN the configuration stays applied.
        """
        while not self._turn.acquire(timeout=_POLL_S):
            self._check_alive()
        try:
            _validate(config)
            self._relabel(config)
            new = {one.name for one in config.model_config_list.config} - self._names
            self._names = {one.name for one in config.model_config_list.config}
            self._applied = config
            if not self._threads:
                self._begin(self._manage)
            self._wake.set()
            self._wait_for(new)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the threads; what waits is refused."""
        self._over.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work, name="tfs-configured")
        self._threads.append(thread)
        thread.start()

    def _follow(self, file: Path, poll_s: float) -> None:
        # The real server applies the file at each poll, whether it has changed or not.
        while not self._over.wait(poll_s):
            try:
                self.reload(_read(file))
            except (OSError, text_format.ParseError) as error:
                self.ignored.append(str(error))
            except Refused as refused:
                self.ignored.append(refused.text)

    def _relabel(self, config: Any) -> None:
        labels: dict[str, dict[str, int]] = {}
        for one in config.model_config_list.config:
            known, had = self._library.known(one.name), self._library.labels(one.name)
            for label, number in one.version_labels.items():
                state = known[number].state if number in known else ""
                moved = had.get(label, number) != number
                if state != AVAILABLE and not (self._labels_anywhere and not moved):
                    raise Refused(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {one.name}, which is not "
                        "currently available for inference",
                    )
            labels[one.name] = dict(one.version_labels)
        self._library.relabel(labels)

    def _wait_for(self, names: Iterable[str]) -> None:
        failed = []
        for name in sorted(names):
            with self._changed:
                while (come := self._has_come(name)) is None:
                    self._check_alive()
                    self._changed.wait(_POLL_S)
            if not come:
                failed.append(f"{{name: {name} version: {max(self._library.known(name))}}}")
        if failed:
            text = f"{len(failed)} model(s) did not become available: {{{', '.join(failed)}, }}"
            raise Refused(grpc.StatusCode.UNKNOWN, text)

    def _has_come(self, name: str) -> bool | None:
        """Whether a model answers; None while it may yet: with a missing base path that is for ever."""
        states = self._library.known(name).values()
        if any(one.state == AVAILABLE for one in states):
            return True
        return False if states and all(one.code for one in states) else None

    def _check_alive(self) -> None:
        if self._over.is_set():
            raise Refused(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _manage(self) -> None:
        while not self._over.is_set():
            self._step(self._applied)
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _step(self, config: Any) -> None:
        for one in config.model_config_list.config:
            folder = Path(one.base_path)
            if folder.is_dir():  # else only a log line: nothing is unloaded
                self._serve(one.name, folder, _aspired(one.model_version_policy, folder))
        for name in set(self._library.names()) - {one.name for one in config.model_config_list.config}:
            self._unload(name, keep=set())

    def _serve(self, name: str, folder: Path, aspired: set[int]) -> None:
        known = self._library.known(name)
        for number in sorted(aspired, reverse=True):
            if number not in known or (known[number].state == "END" and not known[number].code):
                self._load(name, number, folder / str(number))  # one that failed once is never tried again
        known = self._library.known(name)
        if not aspired or any(known[number].state == AVAILABLE for number in aspired):
            self._unload(name, keep=aspired)

    def _load(self, name: str, number: int, folder: Path) -> None:
        self._library.put(name, Version(number, "LOADING"))
        if self._over.wait(self._load_s):
            return
        try:
            loaded = Version(number, AVAILABLE, load_version(folder, name))
        except LoadFailed as error:
            loaded = Version(number, "END", None, error.code, str(error).encode())
        self._library.put(name, loaded)
        with self._changed:
            self._changed.notify_all()

    def _unload(self, name: str, keep: set[int]) -> None:
        for number, one in self._library.known(name).items():
            if number not in keep and one.state == AVAILABLE:
                self._library.put(name, Version(number, "END"))


def _read(file: Path) -> Any:
    return text_format.Parse(file.read_text(encoding="utf-8"), ModelServerConfig())


def _validate(config: Any) -> None:
    names = [one.name for one in config.model_config_list.config]
    for one in config.model_config_list.config:
        if "://" not in one.base_path and not one.base_path.startswith("/"):
            text = (
                f"Expected model {one.name} to have an absolute path or URI; got base_path()={one.base_path}"
            )
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)
        if names.count(one.name) > 1:
            text = f"Illegal to list model {one.name} multiple times in config list"
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)
        if not one.model_platform:
            text = "Illegal setting neither ModelServerConfig::model_type (deprecated) nor model_platform."
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def _aspired(policy: Any, folder: Path) -> set[int]:
    names = (entry.name for entry in folder.iterdir() if entry.is_dir())
    present = sorted(int(name) for name in names if name.isascii() and name.isdigit())
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set(present)
    if choice == "specific":
        return set(present) & set(policy.specific.versions)
    return set(present[-(policy.latest.num_versions or 1) :])
