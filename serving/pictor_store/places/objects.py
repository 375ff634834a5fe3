"""A place in object storage, by fsspec: no renames, no links; a file appears whole or not at all."""

import errno
import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.registry import known_implementations
from fsspec.spec import AbstractFileSystem

from pictor_store.errors import StoreError
from pictor_store.places.lease import LEASE_S, leased
from pictor_store.places.place import FileFacts, Held

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What drivers call the moment of writing."""


class ObjectPlace:
    """Objects whose keys begin with `root`, on the file system `fs` of fsspec."""

    def __init__(self, fs: Any, root: str, where: str, lease_s: float = LEASE_S) -> None:  # noqa: ANN401 - fsspec ships no types
        self._fs = fs
        self._root = root.rstrip("/")
        self._where = where
        self._lease_s = lease_s
        self._exclusive: dict[str, Any] | None = None

    @classmethod
    def open(cls, url: str, lease_s: float = LEASE_S) -> "ObjectPlace":
        """Return the place at `url`, whose locks end `lease_s` after their holder's last sign of life.

        Raises:
            StoreError: its scheme is unknown, the driver is not installed, or cannot be set up.
        """
        scheme = url.partition("://")[0]
        if "::" in url:
            raise StoreError(
                f"{url} is a chain of file systems, which may show what is past. Name the last alone."
            )
        try:
            fs, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            known = known_implementations.get(scheme, {}).get("err") or f"The scheme {scheme!r} is not known."
            raise StoreError(f"{url} cannot be opened: {error}. {known}") from error
        except Exception as error:  # drivers have no common root
            raise StoreError(f"{url} cannot be opened: {type(error).__name__}: {error}") from error
        return cls(fs, root, url.rstrip("/"), lease_s)

    @property
    def where(self) -> str:
        """The URL."""
        return self._where

    def names(self, folder: str = "") -> list[str]:
        """Names directly in `folder`."""
        above = self._key(folder)
        with _as_os_error(above):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(above, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        below = (str(key).rstrip("/").removeprefix("/") for key in found)
        prefix = f"{above.removeprefix('/')}/"
        return sorted({key.removeprefix(prefix) for key in below if key.startswith(prefix)})

    def files(self, folder: str = "") -> list[FileFacts]:
        """Every object below."""
        above = self._key(folder)
        with _as_os_error(above):
            self._fs.invalidate_cache()
            try:
                found: dict[str, dict[str, Any]] = self._fs.find(above, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return []
        prefix = f"{self._root.removeprefix('/')}/"
        return sorted(
            (
                FileFacts(
                    key.removeprefix("/").removeprefix(prefix), int(facts.get("size") or 0), _written_s(facts)
                )
                for key, facts in found.items()
                if not key.endswith("/") and key != above
            ),
            key=lambda facts: facts.path,
        )

    def exists(self, path: str) -> bool:
        """Whether there is an object or a folder; what cannot be told is an error, not a no."""
        key = self._key(path)
        with _as_os_error(key):
            self._fs.invalidate_cache()
            try:
                self._fs.info(key)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def read(self, path: str) -> bytes:
        """Return an object's content."""
        key = self._key(path)
        with _as_os_error(key):
            return bytes(self._fs.cat_file(key))

    def write(self, path: str, content: bytes) -> None:
        """Put an object, which replaces what was at once."""
        key = self._key(path)
        with _as_os_error(key):
            self._fs.pipe_file(key, content)

    def create(self, path: str, content: bytes) -> None:
        """Put an object if there is none; what the storage then holds tells who was first."""
        if self._exclusive is None:
            self._exclusive = self._prove_exclusive()
        self._create(self._key(path), content, self._exclusive)

    def upload(self, source: Path, path: str) -> None:
        """Put an object; a large one goes in parts, and appears with the last."""
        key = self._key(path)
        with _as_os_error(key):
            self._fs.put_file(str(source), key)

    def download(self, path: str, target: Path) -> None:
        """Copy an object into a local file."""
        key = self._key(path)
        with _as_os_error(key):
            self._fs.get_file(key, str(target))

    def remove(self, path: str) -> None:
        """Remove an object, or all whose keys lie below."""
        key = self._key(path)
        with _as_os_error(key):
            self._fs.invalidate_cache()
            try:
                self._fs.rm(key, recursive=True)
            except FileNotFoundError:
                return

    def local(self, path: str) -> None:
        """Nothing of it is on this machine."""

    def lock(self, name: str, wait_s: float) -> AbstractContextManager[Held]:
        """Hold a lease."""
        return leased(self, name, wait_s, self._lease_s)

    def _key(self, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise OSError(errno.EINVAL, "not a path inside the place", path)
        return f"{self._root}/{path}" if path else self._root

    def _create(self, key: str, content: bytes, how: dict[str, Any]) -> None:
        try:
            with _as_os_error(key):
                self._fs.pipe_file(key, content, **how)
        except OSError as error:  # drivers have no common word for "there is one", and some ask twice
            try:
                present = bytes(self._fs.cat_file(key))
            except FileNotFoundError:
                raise error from None
            if present != content:
                raise FileExistsError(errno.EEXIST, "there is one already", key) from error

    def _prove_exclusive(self) -> dict[str, Any]:
        """Return how the driver is told to create; a storage that ignores it would lose what was written."""
        parameters = inspect.signature(getattr(self._fs, "_pipe_file", self._fs.pipe_file)).parameters
        how = {"overwrite": False} if "overwrite" in parameters else {"mode": "create"}
        key = self._key(f".probe-{uuid4().hex}")
        if _looks_first(self._fs):
            raise self._not_exclusive()
        try:
            self._create(key, b"first", how)
            self._create(key, b"second", how)
        except FileExistsError:
            return how
        finally:
            with _as_os_error(key):
                self._fs.rm_file(key)
        raise self._not_exclusive()

    def _not_exclusive(self) -> StoreError:
        return StoreError(
            f"{self._where} overwrites files that it was told to create: two jobs at once would destroy each "
            "other's work. Use a storage, and a release of its driver, with conditional writes."
        )


@contextmanager
def _as_os_error(key: str) -> Iterator[None]:
    """Raise whatever a driver raises as OSError: they have no common root."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", key) from error


def _looks_first(fs: Any) -> bool:  # noqa: ANN401 - fsspec ships no types
    """Whether it creates by fsspec's own way: to look, and then to write. Two at once both see nothing."""
    return type(fs).pipe_file is AbstractFileSystem.pipe_file and not hasattr(fs, "_pipe_file")


def _written_s(facts: dict[str, Any]) -> float:
    for name in _TIMES:
        value = facts.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except ValueError:
                continue
    return 0.0
