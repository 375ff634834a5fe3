"""What does not work is told, costs nothing that is served, and is made good by the next pass."""

import errno
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket import BucketFileSystem
from mirrored import left_overs, passed, publish, whole_versions
from pictor_store.changes import promote
from pictor_store.errors import StoreError
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.history import read_labels
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.servers import Servers

Make = Callable[..., Mirror]
Bucket = type[BucketFileSystem]


@pytest.fixture
def mirrored(model: StoredModel, make_mirror: Make, into: Path) -> StoredModel:
    """Mirror versions 1 and 2, with the file; version 3 is published, and has no label."""
    assert () == passed(make_mirror(Servers(config_file=into / "models.config")))
    return model


def is_as_before(into: Path) -> bool:
    """Whether a server and a gateway see what they saw."""
    return (whole_versions(into), read_labels(into / "pets")) == ([1, 2], {"stable": 2})


def test_a_damaged_object_is_never_served(mirrored: StoredModel, make_mirror: Make, into: Path) -> None:
    """Nor kept: the next try downloads anew, and brings the label when the files are right again."""
    promote(mirrored, 3)
    place, path = mirrored.place, "pets/3/saved_model.pb"
    right = place.read(path)
    place.write(path, b"grapf")
    (trouble,) = passed(make_mirror())
    assert "bucket://models/pets/3: saved_model.pb is not the file that was published" in trouble
    assert trouble.endswith("What was mirrored of it stays.")
    assert is_as_before(into)
    assert [] == left_overs(into)

    place.write(path, right)
    assert () == passed(make_mirror())
    assert {"stable": 3} == read_labels(into / "pets")


def test_another_model_under_a_number_that_is_here_is_refused(
    mirrored: StoredModel, make_mirror: Make, into: Path, artifact: Path, source: ModelStore
) -> None:
    """A store that was begun anew gives numbers again, which no server would notice."""
    mirrored.place.remove("pets")
    for letters in ("x", "y"):
        publish(source.model("pets"), artifact, letters)
    promote(source.model("pets"), 2)
    (trouble,) = passed(make_mirror())

    assert "is another model than the one that was mirrored under this number" in trouble
    assert is_as_before(into)


@pytest.mark.parametrize("what", ["everything", "the model"])
def test_a_store_that_vanished_takes_nothing_with_it(
    what: str, mirrored: StoredModel, make_mirror: Make, into: Path, bucket: Bucket
) -> None:
    """An empty bucket looks like one that was lost."""
    for file in bucket.folder.iterdir():
        file.unlink()
    if what == "the model":
        mirrored.place.write("others/1/assets.extra/MANIFEST.sha256", b"")
    troubles = passed(make_mirror(Servers(config_file=into / "models.config")))

    assert "bucket://models has no model pets, or is not there. What was mirrored of it stays." in troubles
    assert is_as_before(into)
    assert 'name: "pets"' in (into / "models.config").read_text()


def test_a_store_that_cannot_be_read_is_told(
    mirrored: StoredModel, make_mirror: Make, bucket: Bucket
) -> None:
    """By the driver's words."""

    def refuse(operation: str, key: str) -> None:
        raise PermissionError(errno.EACCES, "Access Denied", key)

    bucket.disturb = staticmethod(refuse)
    with pytest.raises(StoreError, match=r"bucket://models cannot be read: .*Access Denied"):
        make_mirror().glance()


def test_a_version_that_is_pruned_while_it_comes(
    mirrored: StoredModel, make_mirror: Make, into: Path, bucket: Bucket
) -> None:
    """Is missed once, and then not wanted any more; nothing of it stays."""
    promote(mirrored, 3)

    def prune_meanwhile(operation: str, key: str) -> None:
        if operation == "get" and key == "models/pets/3/saved_model.pb":
            bucket.disturb = staticmethod(lambda *_: None)
            promote(mirrored, 2)
            mirrored.remove(3)
            mirrored.record("pruned", 3)

    bucket.disturb = staticmethod(prune_meanwhile)
    (trouble,) = passed(make_mirror())
    assert "pets cannot be mirrored" in trouble
    assert is_as_before(into)
    assert () == passed(make_mirror())
    assert is_as_before(into)
    assert [] == left_overs(into)


def test_what_came_before_a_failure_is_not_downloaded_again(
    mirrored: StoredModel, make_mirror: Make, into: Path, bucket: Bucket
) -> None:
    """A large model on a bad line comes in the end."""
    promote(mirrored, 3)
    fetched: list[str] = []

    def break_off(operation: str, key: str) -> None:
        if operation == "get" and key.startswith("models/pets/3/"):
            fetched.append(key)
            if len(fetched) == 3:
                raise OSError(errno.ECONNRESET, "Connection reset by peer", key)

    bucket.disturb = staticmethod(break_off)
    (trouble,) = passed(make_mirror())
    assert "Connection reset by peer" in trouble
    assert () == passed(make_mirror())

    assert 5 == len(fetched)  # four files, and the one that broke off
    assert {"stable": 3} == read_labels(into / "pets")


def test_an_event_that_cannot_be_read_now_is_known_from_before(
    mirrored: StoredModel, make_mirror: Make, into: Path, bucket: Bucket, artifact: Path
) -> None:
    """Without it the version that a rollback goes to would seem to be another one."""
    promote(mirrored, 3)
    told = [event.sequence for event in mirrored.history() if event.labels == {"stable": 2}]

    def lose(operation: str, key: str) -> None:
        if operation == "get" and key == f"models/pets/.history/{told[0]:08d}.json":
            raise TimeoutError(errno.ETIMEDOUT, "Read timed out", key)

    bucket.disturb = staticmethod(lose)
    assert () == passed(make_mirror())
    assert [1, 2, 3] == whole_versions(into)
    shutil.rmtree(into)
    assert f"Events of pets cannot be read: {told[0]}." in passed(make_mirror())[0]


def test_what_would_not_fit_is_not_begun(mirrored: StoredModel, make_mirror: Make, into: Path) -> None:
    """Kubernetes evicts a pod whose folder outgrows its bound: one that serves what was before is better."""
    promote(mirrored, 3)
    used = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
    (trouble,) = passed(make_mirror(max_bytes=used + 100))

    assert "(--max-bytes)" in trouble
    assert is_as_before(into)
    assert () == passed(make_mirror(max_bytes=10 * used))


FILL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bucket import bucket_at
from mirrored import passed
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with bucket_at(Path(sys.argv[2])):
    mirror = Mirror(open_store("bucket://models"), MirrorFolder(Path(sys.argv[3])), Servers())
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    print(*passed(mirror))
"""


def test_a_full_disk_is_told_and_survived(
    mirrored: StoredModel, make_mirror: Make, into: Path, bucket: Bucket, artifact: Path
) -> None:
    """The kernel refuses to write on; when there is room again, the version comes."""
    assert signal.SIGXFSZ
    assert resource.RLIMIT_FSIZE is not None
    promote(mirrored, publish(mirrored, artifact, "x" * 5000))
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", FILL, tests, str(bucket.folder), str(into)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "File too large" in done.stdout
    assert is_as_before(into)
    assert [".mirroring-4"] == left_overs(into), "half a file would keep the disk full"
    assert () == passed(make_mirror())
    assert {"stable": 4} == read_labels(into / "pets")
    assert [] == left_overs(into)


def test_one_model_in_trouble_stops_no_other(
    mirrored: StoredModel, make_mirror: Make, into: Path, artifact: Path
) -> None:
    """The other follows, and both stay in the file."""
    contract = artifact / "assets.extra" / "contract.json"
    contract.write_text(contract.read_text().replace('"pets"', '"birds"'))
    publish(open_store(mirrored.place.where).model("birds"), artifact, "wings")
    promote(mirrored, 3)
    mirrored.place.write("pets/3/saved_model.pb", b"damaged")
    file = into / "models.config"
    (trouble,) = passed(make_mirror(Servers(config_file=file)))

    assert "pets/3" in trouble
    assert is_as_before(into)
    assert [1] == whole_versions(into, "birds")
    assert ['name: "birds"', 'name: "pets"'] == [
        line.strip() for line in file.read_text().splitlines() if " name:" in line
    ]


def test_a_model_that_never_came_whole_is_not_in_the_file(
    model: StoredModel, make_mirror: Make, into: Path
) -> None:
    """A server would serve what came of it under no label; no file at all lets a pod wait."""
    model.place.write("pets/2/saved_model.pb", b"damaged")
    (trouble,) = passed(make_mirror(Servers(config_file=into / "models.config")))

    assert "pets/2" in trouble
    assert [] == whole_versions(into)
    assert not (into / "models.config").exists()


def test_a_rollback_s_target_that_is_damaged_stops_nothing(
    source: ModelStore, model: StoredModel, make_mirror: Make, into: Path
) -> None:
    """The stable version is served without it; a server is told of it all the same, and warns."""
    model.place.write("pets/1/saved_model.pb", b"damaged")
    file = into / "models.config"
    (trouble,) = passed(make_mirror(Servers(config_file=file)))

    assert trouble.endswith("No label names it: it is left out.")
    assert [2] == whole_versions(into)
    assert {"stable": 2} == read_labels(into / "pets")
    assert [] == left_overs(into)


def test_a_store_without_models_says_what_to_do(make_mirror: Make) -> None:
    """A cluster begins so."""
    assert passed(make_mirror()) == (
        "bucket://models has no model yet, or is not there. Train one: it is then brought.",
    )
