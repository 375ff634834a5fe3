"""Object storage for tests: keys, whole objects, conditional creation; no folders, no renames, no appending.

It lives in one flat folder of files, so that several processes share it and a kill leaves what a kill leaves.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

import fsspec
from fsspec.spec import AbstractFileSystem


class BucketFileSystem(AbstractFileSystem):  # type: ignore[misc]  # - fsspec ships no types
    """What a driver of fsspec offers for object storage. `folder` is where its objects are kept."""

    protocol = "bucket"
    cachable = False
    folder: Path
    disturb: Callable[[str, str], None] = staticmethod(lambda operation, key: None)
    """Called before each operation with its name and the key; what it raises, the operation raises."""

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List one level; folders are what keys have in common."""
        above = self._strip_protocol(path)
        self.disturb("ls", above)
        found: dict[str, dict[str, Any]] = {}
        for key, file in self._objects():
            if key == above:
                found[key] = self._facts(key, file)
            elif key.startswith(f"{above}/"):
                name, deeper, _below = key.removeprefix(f"{above}/").partition("/")
                child = f"{above}/{name}"
                found[child] = (
                    {"name": child, "size": 0, "type": "directory"} if deeper else self._facts(child, file)
                )
        if not found:
            raise FileNotFoundError(above)
        return [found[key] for key in sorted(found)] if detail else sorted(found)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Tell what a key is."""
        key = self._strip_protocol(path)
        for entry in self.ls(key):
            if entry["name"] == key:
                return dict(entry)
        return {"name": key, "size": 0, "type": "directory"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return an object."""
        key = self._strip_protocol(path)
        self.disturb("get", key)
        return self._file(key).read_bytes()[start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Put an object, whole."""
        key = self._strip_protocol(path)
        self.disturb("put", key)
        beside = self.folder / f".{uuid4().hex}"
        beside.write_bytes(value)
        try:
            if mode == "create":
                os.link(beside, self._file(key))
                beside.unlink()
            else:
                beside.replace(self._file(key))
        except FileExistsError:
            beside.unlink()
            raise OSError(22, "At least one of the pre-conditions you specified did not hold") from None

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """Upload a file."""
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        """Download an object."""
        Path(lpath).write_bytes(self.cat_file(rpath))

    def rm_file(self, path: str) -> None:
        """Delete an object."""
        key = self._strip_protocol(path)
        self.disturb("delete", key)
        self._file(key).unlink()

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete objects one by one, in no useful order."""
        key = self._strip_protocol(path)
        below = [one for one, _ in self._objects() if one == key or one.startswith(f"{key}/")]
        if not below:
            raise FileNotFoundError(key)
        for one in reversed(below):
            self.rm_file(one)

    def mv(self, *_: Any, **__: Any) -> None:
        """Nothing can be renamed."""
        raise NotImplementedError

    cp_file = mkdir = makedirs = rmdir = touch = _open = mv

    def _objects(self) -> Iterator[tuple[str, Path]]:
        names = sorted(entry.name for entry in self.folder.iterdir() if not entry.name.startswith("."))
        return ((unquote(name), self.folder / name) for name in names)

    def _file(self, key: str) -> Path:
        return self.folder / quote(key, safe="")

    @staticmethod
    def _facts(key: str, file: Path) -> dict[str, Any]:
        try:
            size, changed_s = file.stat().st_size, file.stat().st_mtime
        except FileNotFoundError:  # deleted meanwhile, as a listing of many pages may tell
            size, changed_s = 0, time.time()
        return {"name": key, "size": size, "type": "file", "mtime": changed_s}


@contextmanager
def bucket_at(folder: Path) -> Iterator[type[BucketFileSystem]]:
    """Let "bucket://..." mean this folder; gives the class, whose `disturb` may be replaced."""
    folder.mkdir(exist_ok=True)
    here = type("Bucket", (BucketFileSystem,), {"folder": folder})
    fsspec.register_implementation("bucket", here, clobber=True)
    yield here
    fsspec.register_implementation("bucket", BucketFileSystem, clobber=True)
