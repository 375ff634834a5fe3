"""A promotion that is killed between its steps; the next command finishes or forgets it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_store.changes import promote, sync
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers

pytestmark = pytest.mark.usefixtures("no_lingering")

PROMOTE = """
import os, signal, sys
from pathlib import Path
from pictor_store.changes import promote
from pictor_store.models.store import open_store
from pictor_store.serving.rollout import Rollout
from pictor_store.serving.servers import Servers
from pictor_store.serving.telling import Telling

step, count, store, address, file = sys.argv[1:]
owner = Telling if hasattr(Telling, step) else Rollout
real, left = getattr(owner, step), [int(count)]

def die(self, *given):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *given)

setattr(owner, step, die)
promote(open_store(store).model("colours"), 2, servers=Servers(address, Path(file), timeout_s=20))
"""


@pytest.mark.parametrize(
    ("step", "count", "stable"),
    [("load", 0, 1), ("call", 0, 1), ("relabel", 0, 2), ("call", 1, 2), ("finish", 0, 2), ("call", 2, 2)],
)
def test_what_a_kill_has_left_is_made_right_by_the_next_command(
    step: str,
    count: int,
    stable: int,
    *,
    stored_colours: Callable[..., StoredModel],
    tfs: Any,
    wait_until: Any,
    tmp_path: Path,
) -> None:
    """The event decides: before it nothing has happened, after it all has; the file says the same in the end.

    `call` is killed when the file is written and the servers are not told.
    """
    model, file = stored_colours(3), tmp_path / "models.config"
    server = tfs(versions=(), labels_anywhere=True)
    servers = Servers(server.address, file, timeout_s=20)
    promote(model, 1, servers=servers)
    store = str(tmp_path / "store")
    asked = [sys.executable, "-c", PROMOTE, step, str(count), store, server.address, str(file)]
    died = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert -signal.SIGKILL == died.returncode, died.stderr
    assert {"stable": stable} == model.labels()
    sync(open_store(store), servers)

    assert {"stable": stable} == server.library.labels("colours")
    assert f'key: "stable"\n      value: {stable}' in file.read_text()
    wanted = {1} if stable == 1 else {1, 2}
    wait_until(lambda: wanted == server.available())
    promote(model, 3, servers=servers)
    assert {"stable": 3} == server.library.labels("colours")
