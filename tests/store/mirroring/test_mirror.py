"""One pass of a mirror: what comes, what stays, what goes."""

from collections.abc import Callable
from pathlib import Path

from bucket import BucketFileSystem
from mirrored import KEEP_S, Clock, left_overs, passed, publish, whole_versions
from pictor_store.changes import promote, prune, rollback, unlabel
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.history import read_labels
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.models_config import make_config, to_text
from pictor_store.serving.servers import Servers
from pictor_store.serving.state import states_of

Make = Callable[..., Mirror]


def config_of(store: ModelStore, base_path: Path) -> str:
    """Return what `pictor models config` prints."""
    return to_text(make_config([state.served for state in states_of(store).values()], str(base_path)))


def test_what_is_served_comes_and_nothing_else(
    source: ModelStore, model: StoredModel, into: Path, make_mirror: Make
) -> None:
    """The labelled version and the one to go back to; the configuration is that of `pictor models config`."""
    file = into / "models.config"
    assert () == passed(make_mirror(Servers(config_file=file)))

    assert [1, 2] == whole_versions(into)
    assert {"stable": 2} == read_labels(into / "pets")
    assert model.history() == open_store(into).model("pets").history()
    assert config_of(source, into) == file.read_text()
    assert [] == left_overs(into)


def test_a_second_pass_downloads_nothing(
    model: StoredModel, make_mirror: Make, bucket: type[BucketFileSystem]
) -> None:
    """And says that nothing is new."""
    passed(make_mirror())
    fetched: list[str] = []
    bucket.disturb = staticmethod(lambda operation, key: fetched.append(key) if operation == "get" else None)
    mirror = make_mirror()

    assert not mirror.bring(mirror.glance()).changed
    assert all(".history" in key or key.endswith(("MANIFEST.sha256", ".last_version")) for key in fetched)


def test_a_label_moves_and_the_version_before_the_last_goes_later(
    source: ModelStore, model: StoredModel, into: Path, make_mirror: Make, clock: Clock
) -> None:
    """Not before the servers had time to let it go; and never if it comes back meanwhile."""
    mirror = make_mirror(Servers(config_file=into / "models.config"))
    passed(mirror)
    promote(model, 3)
    assert () == passed(mirror)
    assert {"stable": 3} == read_labels(into / "pets")
    assert config_of(source, into) == (into / "models.config").read_text()

    clock.now += KEEP_S - 1
    mirror.let_go()
    assert [1, 2, 3] == whole_versions(into)
    rollback(model)
    passed(mirror)
    clock.now += 1
    mirror.let_go()
    assert [1, 2, 3] == whole_versions(into)
    clock.now += KEEP_S
    mirror.let_go()
    assert [1, 2] == whole_versions(into)
    assert {"stable": 2} == read_labels(into / "pets")
    assert [] == left_overs(into)


def test_a_canary_comes_and_goes(model: StoredModel, into: Path, make_mirror: Make, clock: Clock) -> None:
    """As any label."""
    mirror = make_mirror()
    promote(model, 3, label="canary")
    passed(mirror)
    assert {"stable": 2, "canary": 3} == read_labels(into / "pets")
    assert [1, 2, 3] == whole_versions(into)

    unlabel(model, "canary")
    passed(mirror)
    clock.now += KEEP_S
    mirror.let_go()
    assert {"stable": 2} == read_labels(into / "pets")
    assert [1, 2] == whole_versions(into)


def test_a_restarted_mirror_lets_the_time_pass_anew(
    model: StoredModel, into: Path, make_mirror: Make, clock: Clock
) -> None:
    """Nobody knows how long the last one had waited; no clock on a wall is asked."""
    passed(make_mirror())
    promote(model, 3)
    passed(make_mirror())
    clock.now += KEEP_S
    restarted = make_mirror()
    passed(restarted)
    restarted.let_go()
    assert [1, 2, 3] == whole_versions(into)
    clock.now += KEEP_S
    restarted.let_go()
    assert [2, 3] == whole_versions(into)


def test_without_labels_the_newest_is_mirrored(
    source: ModelStore, artifact: Path, into: Path, make_mirror: Make
) -> None:
    """As servers and gateways take it."""
    for letters in ("one", "two"):
        publish(source.model("pets"), artifact, letters)
    assert () == passed(make_mirror(Servers(config_file=into / "models.config")))

    assert [2] == whole_versions(into)
    assert config_of(source, into) == (into / "models.config").read_text()


def test_pruned_versions_are_not_missed(
    model: StoredModel, into: Path, make_mirror: Make, clock: Clock
) -> None:
    """A mirror that was away while labels moved on follows what holds now."""
    mirror = make_mirror()
    passed(mirror)
    promote(model, 3)
    assert [1] == prune(model, keep=1)
    assert () == passed(mirror)
    clock.now += KEEP_S
    mirror.let_go()

    assert [2, 3] == whole_versions(into)
    assert () == passed(mirror)


def test_only_the_models_that_are_named_come(
    model: StoredModel, artifact: Path, into: Path, make_mirror: Make, clock: Clock
) -> None:
    """One that was mirrored before goes; one that is nowhere is told."""
    contract = artifact / "assets.extra" / "contract.json"
    contract.write_text(contract.read_text().replace('"pets"', '"birds"'))
    publish(open_store(model.place.where).model("birds"), artifact, "wings")
    passed(make_mirror())
    assert [1] == whole_versions(into, "birds")

    mirror = make_mirror(only=("pets", "fish"))
    (trouble,) = passed(mirror)
    clock.now += KEEP_S
    mirror.let_go()
    assert "bucket://models has no model fish, or is not there." == trouble
    assert [] == whole_versions(into, "birds")
    assert [1, 2] == whole_versions(into)


def test_a_folder_is_mirrored_like_a_bucket(
    stored_colours: Callable[..., StoredModel], into: Path, clock: Clock
) -> None:
    """A store on a shared volume too slow to serve from."""
    from pictor_store.mirroring.folder import MirrorFolder  # noqa: PLC0415 - one test alone

    promote(stored_colours(2), 2)
    source = open_store(into.with_name("store"))
    assert () == passed(Mirror(source, MirrorFolder(into), Servers(), clock=clock))
    assert [2] == whole_versions(into, "colours")
