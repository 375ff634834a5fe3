"""Locks: the kernel's on a folder, a lease on object storage and where the kernel has none."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket import BucketFileSystem
from pictor_store.errors import StoreLocked
from pictor_store.places import FolderPlace, Place, open_place
from pictor_store.places.lease import leased
from pictor_store.places.objects import ObjectPlace

Eventually = Callable[..., object]

LEASE_S = 0.3
PATIENCE_S = 30


@pytest.fixture(params=["kernel", "lease"])
def place(request: pytest.FixtureRequest, tmp_path: Path, bucket: type[BucketFileSystem]) -> Place:
    """Open a place with each kind of lock."""
    if request.param == "kernel":
        return FolderPlace(tmp_path / "place")
    return ObjectPlace.open("bucket://models", lease_s=3.0)


@pytest.fixture
def stored(bucket: type[BucketFileSystem]) -> Place:
    """Open object storage."""
    return open_place("bucket://models")


def test_one_at_a_time(place: Place) -> None:
    """Eight threads count to forty together, reading and writing where another could get between."""
    place.write("count", b"0")

    def count() -> None:
        for _ in range(5):
            with place.lock("pets/.lock", PATIENCE_S) as held:
                number = int(place.read("count"))
                held.check()
                place.write("count", str(number + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S * 2)
    assert b"40" == place.read("count")


def test_who_waits_in_vain_is_told(place: Place) -> None:
    """The other one is not disturbed."""
    with place.lock("pets/.lock", 0) as held:
        with pytest.raises(StoreLocked, match=r"pets/\.lock for 0\.05 s"), place.lock("pets/.lock", 0.05):
            pytest.fail("two hold it")
        held.check()
    with place.lock("pets/.lock", 0):
        pass


def test_other_names_are_other_locks(place: Place) -> None:
    """Two models can be changed at once."""
    with place.lock("pets/.lock", 0), place.lock("cars/.lock", 0):
        pass


def test_a_lock_ends_with_an_error(place: Place) -> None:
    """As it ends with success."""
    with pytest.raises(ZeroDivisionError), place.lock("pets/.lock", 0):
        _ = 1 / 0
    with place.lock("pets/.lock", 0):
        pass


def test_the_kernel_undoes_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    """At once."""
    code = (
        "import os, sys; from pathlib import Path; from pictor_store.places import FolderPlace\n"
        "with FolderPlace(Path(sys.argv[1])).lock('.lock', 0):\n    os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)

    assert -9 == killed.returncode
    with FolderPlace(tmp_path).lock(".lock", 0):
        pass


def test_a_lock_file_that_somebody_removed_locks_nobody_out(tmp_path: Path) -> None:
    """And the next two still exclude each other."""
    place = FolderPlace(tmp_path)
    with place.lock(".lock", 0):
        (tmp_path / ".lock").unlink()
        with place.lock(".lock", 0), pytest.raises(StoreLocked), place.lock(".lock", 0):
            pytest.fail("two hold it")


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.ENOLCK])
def test_a_folder_without_locks_is_locked_by_lease(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: int
) -> None:
    """As on NFS without its lock service."""

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", refuse)
    place = FolderPlace(tmp_path)
    with place.lock(".lock", 0):
        assert ["00000001.json"] == place.names(".lock-lease")
        with pytest.raises(StoreLocked, match=r"\.lock-lease for 0\.01 s"), place.lock(".lock", 0.01):
            pytest.fail("two hold it")


def test_a_dead_holder_s_lease_is_taken_over_after_it_was_seen_to_stand_still(stored: Place) -> None:
    """Not before: no clock but the watcher's own tells."""
    stored.write("lock/00000007.json", b'{"holder": "dead", "beat": 3, "ended": false}')
    began_s = time.monotonic()
    with leased(stored, "lock", PATIENCE_S, LEASE_S):
        assert time.monotonic() - began_s >= LEASE_S
        assert ["00000008.json"] == stored.names("lock")


@pytest.mark.parametrize("content", [b"", b"[]", b"torn {", b'{"beat": 3}', b"\xff", b"[" * 100_000])
def test_a_lease_that_cannot_be_read_is_a_dead_one_s(stored: Place, content: bytes) -> None:
    """Whoever writes it on proves to be alive."""
    stored.write("lock/00000001.json", content)
    with pytest.raises(StoreLocked), leased(stored, "lock", 0.01, LEASE_S):
        pytest.fail("taken from a living one")
    with leased(stored, "lock", PATIENCE_S, LEASE_S):
        pass


def test_a_living_holder_keeps_its_lease(stored: Place) -> None:
    """Another one watches for twice as long as a dead one's would last."""
    with leased(stored, "lock", 0, 1.0) as held:
        with pytest.raises(StoreLocked), leased(stored, "lock", 2.0, 1.0):
            pytest.fail("taken from a living one")
        held.check()


def test_an_ended_lease_is_free_at_once(stored: Place) -> None:
    """And its number is not used again."""
    for term in (1, 2, 3):
        with leased(stored, "lock", 0, PATIENCE_S):
            assert [f"{term:08d}.json"] == stored.names("lock")
    assert json.loads(stored.read("lock/00000003.json"))["ended"]


def test_a_holder_that_was_paused_too_long_notices(stored: Place, eventually: Eventually) -> None:
    """It must change nothing any more, and leaves the other one's lease alone."""
    with leased(stored, "lock", 0, LEASE_S) as held:
        stored.create("lock/00000002.json", b'{"holder": "another", "beat": 0, "ended": false}')

        def is_lost() -> bool:
            try:
                held.check()
            except StoreLocked as error:
                return "was lost" in str(error)
            return False

        eventually(is_lost)
    assert not json.loads(stored.read("lock/00000002.json"))["ended"]


def test_a_holder_that_cannot_renew_gives_up_in_time(
    stored: Place, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Before another one, whom the storage still answers, can have taken over."""
    with leased(stored, "lock", 0, LEASE_S) as held:

        def fail(operation: str, key: str) -> None:
            raise TimeoutError(operation, key)

        monkeypatch.setattr(bucket, "disturb", staticmethod(fail))

        def is_lost() -> bool:
            try:
                held.check()
            except StoreLocked:
                return True
            return False

        eventually(is_lost)


def test_who_was_slow_to_take_a_term_that_is_long_over_does_not_hold_it(
    stored: Place, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look and its creation others came, went and cleaned up."""
    stored.write("lock/00000001.json", b'{"ended": true}')
    slow = []

    def others_come(operation: str, key: str) -> None:
        if operation == "put" and key.endswith("lock/00000002.json") and not slow:
            slow.append(key)
            stored.write("lock/00000004.json", b'{"ended": false}')
            stored.remove("lock/00000001.json")

    stored.create("any", b"")
    monkeypatch.setattr(bucket, "disturb", staticmethod(others_come))
    with pytest.raises(StoreLocked), leased(stored, "lock", 0.01, PATIENCE_S):
        pytest.fail("two hold it")
    assert ["00000004.json"] == stored.names("lock")
