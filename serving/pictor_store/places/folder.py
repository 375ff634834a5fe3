"""A place that is a folder: local, or a shared file system."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from pictor_store.durable import force_to_disk, is_beside, replace_file, written_beside
from pictor_store.places.kernel_lock import LocksMissing, kernel_lock
from pictor_store.places.lease import leased
from pictor_store.places.place import FileFacts, Held

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems say that have no second name for a file: exFAT, some network and FUSE mounts."""

_VANISHED = {errno.ENOENT, errno.ELOOP}
"""What is said of a file that went meanwhile, and of a link that leads nowhere or to itself."""

_NAMING_WAIT_S = 60.0
"""Seconds to wait for another process that gives a file its name, where that needs a lock."""

_TRIES = 3
"""Another process's recovery may sweep a writer's file away; more often than once is no chance."""


class FolderPlace:
    """Files below `folder`, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def names(self, folder: str = "") -> list[str]:
        """Names directly in `folder`, without what is being written."""
        try:
            return sorted(entry.name for entry in self._at(folder).iterdir() if not is_beside(entry.name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def files(self, folder: str = "") -> list[FileFacts]:
        """Every file below; links to folders are not followed, what vanishes or leads nowhere is left out."""
        found: list[FileFacts] = []
        for above, _, names in os.walk(self._at(folder), onerror=_unless_missing):
            for name in names:
                path = Path(above, name)
                try:
                    stat = path.stat()
                except OSError as error:
                    if error.errno not in _VANISHED:
                        raise
                    continue
                if not is_beside(name):
                    inside = path.relative_to(self._folder).as_posix()
                    found.append(FileFacts(inside, stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda facts: facts.path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder; what cannot be told is an error, not a no."""
        try:
            self._at(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return self._at(path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Write beside, force to the disk, rename."""
        replace_file(self._at(path), content)

    def create(self, path: str, content: bytes) -> None:
        """Give a finished file its name, which the file system grants once."""
        target = self._at(path)
        for attempt in range(_TRIES):
            with written_beside(target, content) as beside:
                try:
                    self._name(beside, target)
                except FileNotFoundError:
                    if attempt + 1 == _TRIES:
                        raise
                    continue
            force_to_disk(target.parent)
            return

    def upload(self, source: Path, path: str) -> None:
        """Copy beside, force to the disk, rename."""
        target = self._at(path)
        with written_beside(target, b"") as beside:
            shutil.copyfile(source, beside)
            force_to_disk(beside)
            beside.replace(target)
        force_to_disk(target.parent)

    def download(self, path: str, target: Path) -> None:
        """Copy the content."""
        shutil.copyfile(self._at(path), target)

    def remove(self, path: str) -> None:
        """Remove a file, a link (not what it names), or a folder with all in it."""
        target = self._at(path)
        try:
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink()
            force_to_disk(target.parent)
        except (FileNotFoundError, NotADirectoryError):
            return

    def local(self, path: str) -> Path:
        """Return where it lies."""
        return self._at(path)

    @contextmanager
    def lock(self, name: str, wait_s: float) -> Iterator[Held]:
        """Lock a file, which the kernel undoes with the process; hold a lease where it cannot."""
        with ExitStack() as stack:
            held: Held = _HeldByKernel()
            try:
                stack.enter_context(kernel_lock(self._at(name), wait_s))
            except LocksMissing:
                held = stack.enter_context(leased(self, f"{name}-lease", wait_s))
            yield held

    def _at(self, path: str) -> Path:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\0" in path:
            raise OSError(errno.EINVAL, "not a path inside the folder", path)
        return self._folder / parts

    def _name(self, beside: Path, target: Path) -> None:
        try:
            os.link(beside, target)
        except FileExistsError:
            if not _is_same(
                beside, target
            ):  # NFS may say so of the very link it has made, if it was asked twice
                raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with kernel_lock(target.parent / ".creating", _NAMING_WAIT_S):
                if target.exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
                beside.replace(target)


class _HeldByKernel:
    """A lock that cannot be lost while the process lives."""

    def check(self) -> None:
        """Nothing can have happened to it."""


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
