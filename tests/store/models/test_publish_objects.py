"""Publishing to object storage: file by file, and whole all the same."""

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest

from bucket import BucketFileSystem
from pictor_store.errors import StoreError
from pictor_store.models.store import open_store


def test_the_manifest_comes_last(
    artifact: Path, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the graph before it: weights and extras are there when a server sees that."""
    put: list[str] = []

    def note(operation: str, key: str) -> None:
        if operation == "put":
            put.append(key)

    monkeypatch.setattr(bucket, "disturb", staticmethod(note))
    open_store("bucket://models").model("pets").publish(artifact)

    assert [
        "models/pets/1/variables/variables.data",
        "models/pets/1/assets.extra/contract.json",
        "models/pets/1/saved_model.pb",
        "models/pets/1/assets.extra/MANIFEST.sha256",
    ] == [key for key in put if key.startswith("models/pets/1/")]


def test_an_upload_that_fails_is_no_version(
    artifact: Path, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left is removed by the next, which gets another number."""
    model = open_store("bucket://models").model("pets")

    def fail(operation: str, key: str) -> None:
        if operation == "put" and key.endswith("MANIFEST.sha256"):
            raise TimeoutError("no answer")

    with monkeypatch.context() as network:
        network.setattr(bucket, "disturb", staticmethod(fail))
        with pytest.raises(StoreError, match="pets cannot take the version: no answer"):
            model.publish(artifact)
    assert [] == model.versions() == model.history()
    assert 2 == model.publish(artifact)
    assert [] == model.place.names("pets/1")


def test_what_somebody_copies_by_hand_is_left_alone(artifact: Path, bucket: type[BucketFileSystem]) -> None:
    """Only numbers that were given here are swept; the next one is above theirs."""
    model = open_store("bucket://models").model("pets")
    model.place.write("pets/7/saved_model.pb", b"on its way")

    assert 8 == model.publish(artifact)
    assert ["saved_model.pb"] == model.place.names("pets/7")


def test_a_number_is_given_once_though_two_hold_the_lock(
    artifact: Path, bucket: type[BucketFileSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease can be lost by who stands still too long: the number is taken by creating it."""
    one, other = (open_store("bucket://models").model("pets") for _ in range(2))
    numbers: list[int] = []

    def meanwhile(number: int) -> None:
        numbers.append(number)
        monkeypatch.setattr("pictor_store.places.objects.leased", lambda *_: nullcontext(Mock()))
        numbers.append(other.publish(artifact))

    one.publish(artifact, announce=meanwhile)
    assert [1, 2] == numbers == one.versions()
