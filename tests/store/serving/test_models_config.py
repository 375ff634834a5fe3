"""What follows from a history for the servers, and the file it is written to."""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format

from pictor_store.changes import promote
from pictor_store.errors import StoreError
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.models_config import Served, make_config, read_others, to_text, write_config
from pictor_store.serving.state import state_of, states_of
from tfs.apis import model_server_config_pb2

Stored = Callable[..., StoredModel]

OTHER = """
model_config_list {
  config { name: "colours" base_path: "/old/colours" model_platform: "tensorflow" }
  config {
    name: "elsewhere" base_path: "/else/where" model_platform: "tensorflow"
    model_version_policy { all {} } version_labels { key: "gold" value: 7 }
  }
}
"""


def test_without_labels_the_newest_version_is_served(stored_colours: Stored) -> None:
    """As before there was a history."""
    assert Served("colours") == state_of(stored_colours(2)).served


def test_with_labels_their_versions_and_the_way_back_are_served(stored_colours: Stored) -> None:
    """And nothing newer: it was not promoted."""
    model = stored_colours(5)
    for version in (1, 2, 3):
        promote(model, version)
    promote(model, 4, label="canary")

    assert Served("colours", frozenset({2, 3, 4}), {"stable": 3, "canary": 4}) == state_of(model).served


def test_a_label_whose_version_is_gone_is_left_out(stored_colours: Stored, tmp_path: Path) -> None:
    """A server would refuse all of it. What can be served is."""
    model = stored_colours(3)
    promote(model, 1)
    promote(model, 2, label="canary")
    (tmp_path / "store" / "colours" / "1").rename(tmp_path / "away")

    assert Served("colours", frozenset({2, 3}), {"canary": 2}) == state_of(model).served


def test_models_without_versions_are_in_no_configuration(stored_colours: Stored, tmp_path: Path) -> None:
    """A server would wait for them for ever."""
    stored_colours(1)
    (tmp_path / "store" / "empty").mkdir()

    assert ["colours"] == list(states_of(open_store(tmp_path / "store")))


def test_the_text_is_the_server_s_own(tmp_path: Path) -> None:
    """Its own message reads it, with the comment at its head."""
    served = [Served("a", frozenset({10, 9}), {"stable": 9}), Served("b")]
    config = make_config(served, "/models/")
    read = text_format.Parse(to_text(config), model_server_config_pb2.ModelServerConfig())
    first, second = read.model_config_list.config

    assert ("/models/a", "tensorflow", {"stable": 9}) == (
        first.base_path,
        first.model_platform,
        dict(first.version_labels),
    )
    assert [9, 10] == list(first.model_version_policy.specific.versions)
    assert 1 == second.model_version_policy.latest.num_versions


def test_entries_of_other_stores_stay(tmp_path: Path) -> None:
    """Ours are written anew."""
    file = tmp_path / "models.config"
    file.write_text(OTHER)
    others = read_others(file, ["colours"], "/models")
    write_config(file, make_config([Served("colours")], "/models", others))
    read = text_format.Parse(file.read_text(), model_server_config_pb2.ModelServerConfig())

    assert [("elsewhere", "/else/where"), ("colours", "/models/colours")] == [
        (one.name, one.base_path) for one in read.model_config_list.config
    ]
    assert {"gold": 7} == dict(read.model_config_list.config[0].version_labels)
    assert read.model_config_list.config[0].model_version_policy.HasField("all")


def test_an_entry_of_a_model_that_left_the_store_goes(tmp_path: Path) -> None:
    """A server that starts would wait for its folder for ever. Those of other stores stay."""
    file = tmp_path / "models.config"
    file.write_text(OTHER.replace("/old/colours", "/models/gone").replace('"colours"', '"gone"'))

    assert ["elsewhere"] == [one.name for one in read_others(file, ["colours"], "/models/")]


@pytest.mark.parametrize(
    "content",
    [
        b"model_config_list {",
        b"\xff\xfe",
        b'model_config_list { config { name: "a" logging_config {} } }',
    ],
)
def test_a_file_that_would_lose_something_is_refused(content: bytes, tmp_path: Path) -> None:
    """Torn, no text, or with settings that we do not know."""
    file = tmp_path / "models.config"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="Correct or remove it"):
        read_others(file, [], "/models")

    assert content == file.read_bytes()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """A folder in its place, here."""
    with pytest.raises(StoreError, match="cannot be written"):
        write_config(tmp_path, make_config([Served("a")], "/models"))
