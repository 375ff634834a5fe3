"""Object storage as it really is: answers get lost, drivers have errors of their own, some do not create."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from bucket import BucketFileSystem
from pictor_store.errors import StoreError
from pictor_store.places import open_place
from pictor_store.places.objects import ObjectPlace

Bucket = type[BucketFileSystem]


def _after(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let creations be carried out, and their answers be lost."""
    put = bucket.pipe_file

    def lost(self: BucketFileSystem, path: str, value: bytes, **how: Any) -> None:
        put(self, path, value, **how)
        if ".probe-" not in path:
            raise error

    monkeypatch.setattr(bucket, "pipe_file", lost)


def test_a_creation_whose_answer_was_lost_has_happened(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the storage holds decides, not what the network said."""
    _after(bucket, monkeypatch, TimeoutError("no answer"))
    place = open_place("bucket://models")
    place.create("event", b"mine")
    with pytest.raises(FileExistsError):
        place.create("event", b"another's")
    assert b"mine" == place.read("event")


def test_a_creation_that_did_not_happen_is_its_own_error(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is there, so nobody was faster."""
    place = open_place("bucket://models")
    place.create("first", b"")

    def refuse(operation: str, key: str) -> None:
        if operation == "put":
            raise PermissionError(13, "Access Denied", key)

    monkeypatch.setattr(bucket, "disturb", staticmethod(refuse))
    with pytest.raises(PermissionError, match="Access Denied"):
        place.create("second", b"mine")


def test_a_storage_that_overwrites_what_it_was_to_create_is_refused() -> None:
    """Old releases of servers and drivers ignore the condition, and say nothing."""

    class Ignorant(MemoryFileSystem):  # type: ignore[misc]  # - fsspec ships no types
        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
            super().pipe_file(path, value)

    fs = Ignorant(global_store=False, skip_instance_cache=True)
    place = ObjectPlace(fs, "/models", "ignorant://models")
    with pytest.raises(StoreError, match="overwrites files that it was told to create"):
        place.create("event", b"first")
    assert [] == place.files()


def test_a_driver_that_creates_by_looking_first_is_refused() -> None:
    """Two who look at once both see nothing; fsspec's own way, of file systems over a network."""

    class Remote(MemoryFileSystem):  # type: ignore[misc]  # - fsspec ships no types
        pipe_file = AbstractFileSystem.pipe_file

    place = ObjectPlace(Remote(global_store=False, skip_instance_cache=True), "/models", "remote://models")
    with pytest.raises(StoreError, match="overwrites files that it was told to create"):
        place.create("event", b"first")


def test_azure_is_told_in_its_own_words() -> None:
    """Its driver takes `overwrite` where others take a mode."""
    asked: list[dict[str, Any]] = []

    class Azure(MemoryFileSystem):  # type: ignore[misc]  # - fsspec ships no types
        def pipe_file(self, path: str, value: bytes, overwrite: bool = True, **how: Any) -> None:
            asked.append(how)
            super().pipe_file(path, value, mode="overwrite" if overwrite else "create")

    place = ObjectPlace(Azure(global_store=False, skip_instance_cache=True), "/models", "azure://models")
    place.create("event", b"first")
    with pytest.raises(FileExistsError):
        place.create("event", b"second")
    assert [{}] * len(asked) == asked


@pytest.mark.parametrize(
    "ask",
    [
        lambda place: place.names("pets"),
        lambda place: place.files("pets"),
        lambda place: place.exists("pets"),
        lambda place: place.read("pets/file"),
        lambda place: place.write("pets/file", b""),
        lambda place: place.remove("pets/file"),
    ],
)
def test_a_driver_s_own_error_becomes_the_operating_system_s(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, ask: Callable[[ObjectPlace], object]
) -> None:
    """Also when it asks whether something is there: what cannot be reached is not missing."""
    place = open_place("bucket://models")
    place.write("pets/file", b"")

    class EndpointConnectionError(Exception):
        pass

    def fail(operation: str, key: str) -> None:
        raise EndpointConnectionError(f"no route to {operation} {key}")

    monkeypatch.setattr(bucket, "disturb", staticmethod(fail))
    with pytest.raises(OSError, match="EndpointConnectionError: no route to"):
        ask(place)  # type: ignore[arg-type]  # - it is one


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/models", "s3fs"),
        ("gs://bucket/models", "gcsfs"),
        ("abfs://container/models", "adlfs"),
        ("nonsense://bucket", "'nonsense' is not known"),
        ("simplecache::s3://bucket", "chain of file systems"),
    ],
)
def test_a_url_that_cannot_be_opened_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    """The drivers of real storages are not part of this package."""
    for driver in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(StoreError, match=said):
        open_place(url)


def test_a_driver_that_cannot_be_set_up_is_a_store_error(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's asks for credentials when it is made."""

    class RefreshError(Exception):
        pass

    def refuse(*_: object, **__: object) -> None:
        raise RefreshError("no credentials")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(StoreError, match="bucket://models cannot be opened: RefreshError: no credentials"):
        open_place("bucket://models")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"LastModified": datetime(2026, 1, 2, tzinfo=UTC)}, 1767312000.0),
        ({"updated": "2026-01-02T00:00:00.000Z"}, 1767312000.0),
        ({"mtime": 5}, 5.0),
        ({"updated": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_every_driver_s_word_for_the_time_of_writing_is_read(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], expected: float
) -> None:
    """One that says nothing is as old as can be."""
    place = open_place("bucket://models")
    place.write("file", b"12")
    found = {"models/file": {"name": "models/file", "size": 2, "type": "file", **facts}}
    monkeypatch.setattr(bucket, "find", lambda *_, **__: found)
    assert [("file", 2, expected)] == [(one.path, one.size, one.written_s) for one in place.files()]
