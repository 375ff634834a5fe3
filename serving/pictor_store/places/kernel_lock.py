"""A lock on a file that the kernel keeps: it ends with its process, whatever ends that.

By flock itself and not by a library, which may take another kind of lock where the file system has none; here
that must be known.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pictor_store.durable import make_folder
from pictor_store.errors import StoreLocked

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What file systems without locks say, such as NFS without its lock service."""

_HELD_ELSEWHERE = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}

_POLL_S = 0.02
_MODE = 0o666
"""Less the umask, as for all files: a store may be a group's."""


class LocksMissing(OSError):
    """The file system has no locks."""


@contextmanager
def kernel_lock(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock on the file, which is made and stays.

    Raises:
        StoreLocked: another process held it all the time.
        LocksMissing: the file system has no locks.
        OSError: the file cannot be made or written.
    """
    make_folder(path.parent)
    give_up_s = time.monotonic() + wait_s
    while (handle := _locked(path)) is None:
        if time.monotonic() >= give_up_s:
            raise StoreLocked(
                f"Another process has held {path} for {wait_s:g} s. Try again when it has ended."
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # said, as a child may have inherited the file
        os.close(handle)


def _locked(path: Path) -> int | None:
    """Return the open and locked file, None if another process has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still_there(handle, path):
            return handle
    except OSError as error:
        os.close(handle)
        if error.errno in _HELD_ELSEWHERE:
            return None
        if error.errno in _NO_LOCKS:
            raise LocksMissing(error.errno, "the file system has no locks", str(path)) from error
        raise
    os.close(handle)  # somebody removed the file between opening and locking: others would lock a new one
    return None


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
