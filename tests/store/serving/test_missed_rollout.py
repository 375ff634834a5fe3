"""A server that knew nothing of a roll-out, because it was loading meanwhile, and polls the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_store.changes import promote, sync
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers
from tfs.stand_in import StandIn

pytestmark = pytest.mark.usefixtures("no_lingering")

Start = Callable[..., StandIn]


def test_it_cannot_follow_by_the_file_and_follows_when_told(
    stored_colours: Callable[..., StoredModel], tmp_path: Path, tfs: Start, wait_until: Any
) -> None:
    """TensorFlow Serving moves a label only to a version that it has, and refuses the file as a whole.

    So polling brings to its end what began before the server was up, and nothing else; `sync` does the rest.
    """
    model, file, seen = stored_colours(2), tmp_path / "models.config", tmp_path / "seen.config"
    promote(model, 1, servers=Servers(config_file=file))
    seen.write_text(file.read_text())
    told = tfs(versions=(), config_file=file, config_poll_s=0.02, labels_anywhere=True)
    forgotten = tfs(versions=(), config_file=seen, config_poll_s=0.02, labels_anywhere=True)
    promote(model, 2, servers=Servers(told.address, file, timeout_s=20))
    seen.write_text(file.read_text())  # its next look is after all of it
    wait_until(lambda: bool(forgotten.ignored))

    assert "label to version 2 of model colours" in forgotten.ignored[0]
    assert ({"stable": 1}, {1}) == (forgotten.library.labels("colours"), forgotten.available())
    seen.unlink()  # while it is told, it looks at nothing else
    both = Servers((told.address, forgotten.address), file, timeout_s=20)
    sync(open_store(model.place.where), both)
    assert {"stable": 2} == forgotten.library.labels("colours") == told.library.labels("colours")


def test_one_that_started_in_the_middle_is_brought_along_by_the_file(
    stored_colours: Callable[..., StoredModel], tmp_path: Path, tfs: Start, wait_until: Any
) -> None:
    """It read the file when the version was in it and the label had not moved: nobody need tell it."""
    model, file = stored_colours(2), tmp_path / "models.config"
    file.write_text(
        f'model_config_list {{ config {{ name: "colours" base_path: "{tmp_path}/store/colours" '
        'model_platform: "tensorflow" model_version_policy { specific { versions: 1 versions: 2 } } '
        'version_labels { key: "stable" value: 1 } } }'
    )
    server = tfs(versions=(), config_file=file, config_poll_s=0.02, labels_anywhere=True)
    wait_until(lambda: server.available() == {1, 2})
    for version in (1, 2):
        promote(model, version)
    sync(open_store(model.place.where), Servers(config_file=file))
    wait_until(lambda: server.library.labels("colours") == {"stable": 2})
