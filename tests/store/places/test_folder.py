"""A folder that is full, has no links, goes away, or was left by a killed writer."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pictor_store.places import FolderPlace


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    """Return a place with one file."""
    place = FolderPlace(tmp_path / "place")
    place.write("pets/event", b"old")
    return place


def _everything(place: FolderPlace) -> list[str]:
    return sorted(path.name for path in place.local("pets").iterdir())


@pytest.mark.parametrize("operation", ["write", "create", "upload"])
def test_a_full_disk_leaves_what_was_and_no_rest(tmp_path: Path, place: FolderPlace, operation: str) -> None:
    """The kernel refuses to write on, as a full disk does."""
    (tmp_path / "large").write_bytes(bytes(100_000))
    code = (
        "import resource, sys; from pathlib import Path; from pictor_store.places import FolderPlace\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "place, large = FolderPlace(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "how = {'write': lambda: place.write('pets/event', large.read_bytes()),\n"
        "       'create': lambda: place.create('pets/new', large.read_bytes()),\n"
        "       'upload': lambda: place.upload(large, 'pets/event')}\n"
        "how[sys.argv[3]]()"
    )
    command = [sys.executable, "-c", code, place.where, str(tmp_path / "large"), operation]
    full = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "OSError: [Errno 27]" in full.stderr
    assert ["event"] == _everything(place)
    assert b"old" == place.read("pets/event")


def test_a_file_that_is_being_written_is_not_listed(place: FolderPlace) -> None:
    """Also when its writer was killed."""
    (place.local("pets") / ".0123.partial").write_bytes(b"half")

    assert ["event"] == place.names("pets")
    assert ["pets/event"] == [facts.path for facts in place.files()]


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP])
def test_creating_works_where_files_have_one_name_only(
    monkeypatch: pytest.MonkeyPatch, place: FolderPlace, error: int
) -> None:
    """As on exFAT and some network mounts: by a lock and a rename instead."""

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", refuse)
    place.create("pets/new", b"new")
    with pytest.raises(FileExistsError):
        place.create("pets/event", b"new")
    assert (b"new", b"old") == (place.read("pets/new"), place.read("pets/event"))


def test_a_link_that_was_made_in_spite_of_the_answer_counts(
    monkeypatch: pytest.MonkeyPatch, place: FolderPlace
) -> None:
    """NFS asks twice when the first answer is lost, and then says that there is one already."""
    link = os.link

    def link_twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    place.create("pets/new", b"new")
    assert b"new" == place.read("pets/new")
    with pytest.raises(FileExistsError):
        place.create("pets/event", b"new")


def test_a_writer_whose_file_was_swept_away_writes_it_again(
    monkeypatch: pytest.MonkeyPatch, place: FolderPlace
) -> None:
    """A recovery cannot tell it from a dead one's."""
    link, swept = os.link, []

    def sweep_once(source: Path, target: Path) -> None:
        if not swept:
            source.unlink()
            swept.append(source)
        link(source, target)

    monkeypatch.setattr(os, "link", sweep_once)
    place.create("pets/new", b"new")
    assert b"new" == place.read("pets/new")


def test_a_folder_that_fails_is_an_error_and_not_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, place: FolderPlace
) -> None:
    """A stale network mount must not look as if everything had been deleted."""

    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    for name in ("listdir", "scandir", "stat"):
        monkeypatch.setattr(os, name, stale)
    for ask in (place.names, place.files, place.exists):
        with pytest.raises(OSError, match="Stale file handle"):
            ask("pets")


def test_removing_a_link_leaves_what_it_names(tmp_path: Path, place: FolderPlace) -> None:
    """It may be a version on another disk."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"kept")
    place.local("pets/1").symlink_to(tmp_path / "elsewhere")
    place.remove("pets/1")

    assert ["event"] == _everything(place)
    assert b"kept" == (tmp_path / "elsewhere" / "file").read_bytes()


def test_a_folder_needs_no_object_storage() -> None:
    """The gateway reads labels in a folder: it starts fast and stays small."""
    code = (
        "import sys, pictor_store.models.history, pictor_store.places as places, pathlib\n"
        "places.open_place(pathlib.Path('x')).names()\n"
        "print({'fsspec', 'grpc', 'pydantic'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()\n" == loaded.stdout
