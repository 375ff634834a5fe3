"""What the store asks of wherever its files are."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file: its path below the place, its bytes, and when it was written (seconds since 1970)."""

    path: str
    size: int
    written_s: float


class Held(Protocol):
    """A lock that one holds."""

    def check(self) -> None:
        """Make sure that it is still held: on object storage a holder that was paused too long loses it.

        Raises:
            StoreLocked: another one has it.
        """


class Place(Protocol):
    """A tree of files with "/" between names. What fails raises OSError; FileNotFoundError if missing.

    No file is ever seen half written, whoever is killed and whenever.
    """

    @property
    def where(self) -> str:
        """The folder or URL, for messages."""

    def names(self, folder: str = "") -> list[str]:
        """Names of the files and folders directly in `folder`, sorted; none if it is not there."""

    def files(self, folder: str = "") -> list[FileFacts]:
        """Every file below `folder`, sorted by path; none if it is not there."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder."""

    def read(self, path: str) -> bytes:
        """Return a file's content."""

    def write(self, path: str, content: bytes) -> None:
        """Put a file there, in place of what was; folders on the way are made."""

    def create(self, path: str, content: bytes) -> None:
        """Put a file where none is; of several who try at once, one succeeds.

        Raises:
            FileExistsError: there is one.
        """

    def upload(self, source: Path, path: str) -> None:
        """Do as `write` with a local file's content, of any size."""

    def download(self, path: str, target: Path) -> None:
        """Copy a file's content, of any size, into a local one."""

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens if it is not there."""

    def local(self, path: str) -> Path | None:
        """Return where a file or folder would lie on this machine, if the place is on it."""

    def lock(self, name: str, wait_s: float) -> AbstractContextManager[Held]:
        """Hold what only one process may do at a time; whoever is killed holds it no more, at once or soon.

        Raises:
            StoreLocked: another one held it all the time.
        """
