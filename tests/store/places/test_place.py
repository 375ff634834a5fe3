"""What every place promises: a folder, object storage, fsspec's own memory."""

import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from bucket import BucketFileSystem
from pictor_store.places import FolderPlace, Place, open_place


@pytest.fixture(params=["folder", "bucket", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path, bucket: type[BucketFileSystem]) -> Place:
    """Open an empty place of each kind."""
    where = {
        "folder": tmp_path / "place",
        "bucket": "bucket://models/here/",
        "memory": f"memory://{uuid4().hex}",
    }
    return open_place(where[request.param])


def test_what_was_written_is_read_listed_and_removed(place: Place) -> None:
    """Folders appear with their files and need not be made."""
    place.write("pets/1/weights", b"12345")
    place.write("pets/2/weights", b"1")
    place.write("pets/notes", b"")

    assert b"12345" == place.read("pets/1/weights")
    assert ["1", "2", "notes"] == place.names("pets")
    assert ["pets"] == place.names()
    assert [("pets/1/weights", 5), ("pets/2/weights", 1), ("pets/notes", 0)] == [
        (facts.path, facts.size) for facts in place.files()
    ]
    assert ["pets/1/weights"] == [facts.path for facts in place.files("pets/1")]
    assert all(facts.written_s > 1_000_000_000 for facts in place.files())
    assert place.exists("pets/1")
    assert place.exists("pets/1/weights")

    place.remove("pets/1")
    assert not place.exists("pets/1/weights")
    place.remove("pets/2/weights")
    place.remove("pets/2/weights")
    place.remove("never/there")
    assert ["pets/notes"] == [facts.path for facts in place.files()]


def test_a_prefix_of_a_name_is_not_the_name(place: Place) -> None:
    """Object storage knows no folders, only keys that begin alike."""
    place.write("pets/10/weights", b"ten")

    assert not place.exists("pets/1")
    assert [] == place.names("pets/1")
    assert [] == place.files("pets/1")
    place.remove("pets/1")
    assert b"ten" == place.read("pets/10/weights")


def test_what_is_not_there_is_no_file_and_an_empty_folder(place: Place) -> None:
    """Only reading needs it."""
    assert [] == place.names("nothing")
    assert [] == place.files("nothing")
    assert not place.exists("nothing")
    with pytest.raises(FileNotFoundError):
        place.read("nothing")


def test_writing_replaces_and_creating_does_not(place: Place) -> None:
    """The first content stays when creating fails."""
    place.create("event", b"first")
    with pytest.raises(FileExistsError):
        place.create("event", b"second")
    assert b"first" == place.read("event")
    place.write("event", b"third")
    assert b"third" == place.read("event")
    assert ["event"] == place.names()


def test_files_go_up_and_come_down(place: Place, tmp_path: Path) -> None:
    """Byte for byte."""
    content = bytes(range(256)) * 5000
    (tmp_path / "up").write_bytes(content)
    place.upload(tmp_path / "up", "pets/1/weights")
    place.download("pets/1/weights", tmp_path / "down")

    assert content == (tmp_path / "down").read_bytes()
    assert ["pets/1/weights"] == [facts.path for facts in place.files()]


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "a/\0"])
@pytest.mark.parametrize("operation", ["read", "remove", "exists", "names", "files"])
def test_a_path_out_of_the_place_is_refused(place: Place, path: str, operation: str) -> None:
    """Whoever builds a path from somebody's words reaches nothing else."""
    with pytest.raises(OSError, match="not a path inside"):
        getattr(place, operation)(path)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_of_many_who_create_at_once_one_succeeds(
    kind: str, tmp_path: Path, bucket: type[BucketFileSystem]
) -> None:
    """And its content is what is there."""
    place = open_place(tmp_path / "place" if kind == "folder" else "bucket://models")
    start = threading.Barrier(8)
    won: list[tuple[int, int]] = []

    def create(number: int) -> None:
        for event in range(10):
            start.wait(30)
            try:
                place.create(f"history/{event}", f"by {number}".encode())
            except FileExistsError:
                continue
            won.append((event, number))

    _in_threads(8, create)
    assert list(range(10)) == sorted(event for event, _ in won)
    assert {event: f"by {number}".encode() for event, number in won} == {
        event: place.read(f"history/{event}") for event in range(10)
    }


def test_a_folder_lies_on_this_machine_and_object_storage_does_not(
    tmp_path: Path, bucket: type[BucketFileSystem]
) -> None:
    """Whoever needs files asks first."""
    assert tmp_path / "pets" == open_place(tmp_path).local("pets")
    assert tmp_path / "pets" == open_place(f"file://{tmp_path}").local("pets")
    assert open_place("bucket://models").local("pets") is None
    assert isinstance(open_place(str(tmp_path)), FolderPlace)


def _in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
