"""Stand-ins for TensorFlow Serving, a store with a real model, and certificates: for the tests of any folder.

What they need is imported when a test asks for them: none of the other tests waits for gRPC or TensorFlow.
"""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

PATIENCE_S = 30.0

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pictor_store.models.model import StoredModel
    from tfs.process import Action, TfsProcess
    from tfs.stand_in import StandIn, TlsFiles


@pytest.fixture
def tfs() -> Iterator[Callable[..., StandIn]]:
    """Start stand-ins in this process, with these versions of the model "colours": `tfs(versions=(1, 2))`.

    More keywords are `StandIn`'s. They end with the test.
    """
    from tfs.stand_in import StandIn  # noqa: PLC0415 - see the top

    with ExitStack() as running:

        def start(versions: Sequence[int] = (1,), **options: Any) -> StandIn:
            stand_in = StandIn(**options)
            running.callback(stand_in.close)
            for version in versions:
                stand_in.load_colours(version)
            return stand_in.start()

        yield start


@pytest.fixture
def tfs_process(tmp_path: Path) -> Iterator[Callable[..., TfsProcess]]:
    """Start stand-ins as processes of their own: `tfs_process(versions=(1,), begin=[("label", {...})])`."""
    from tfs.process import TfsProcess  # noqa: PLC0415 - see the top

    running: list[TfsProcess] = []

    def start(versions: Sequence[int] = (1,), begin: Sequence[Action] = (), **options: Any) -> TfsProcess:
        loads = [("load_colours", {"version": version}) for version in versions]
        process = TfsProcess(tmp_path / f"tfs-{len(running)}.log", [*loads, *begin], **options)
        running.append(process)
        return process.start()

    yield start
    for process in running:
        process.kill()


@pytest.fixture
def stored_colours(tmp_path: Path) -> Callable[..., StoredModel]:
    """Publish versions of the model "colours" that stand-ins can load: `stored_colours(3)`.

    The store is tmp_path/"store"; more is added to it by further calls.
    """
    from pictor_store.models.store import open_store  # noqa: PLC0415 - see the top
    from tfs.versions import write_colours  # noqa: PLC0415 - see the top

    def publish(versions: int, name: str = "colours") -> StoredModel:
        model = open_store(tmp_path / "store").model(name)
        for _ in range(versions):
            number = max(model.versions(), default=0) + 1
            artifact = write_colours(tmp_path / "artifacts" / name / str(number), 10.0 * number, name)
            assert number == model.publish(artifact)
        return model

    return publish


@pytest.fixture
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers drop at once what has lost its label: no gateway looks at labels only every second."""
    monkeypatch.setattr("pictor_store.serving.rollout._LINGER_S", 0.0)


@pytest.fixture(scope="session")
def saved_model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a tiny network as training does, and return the store with it: pets/1, every form in it."""
    from tfs.exported import export_store  # noqa: PLC0415 - see the top

    return export_store(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Make an authority, a server's certificate for 127.0.0.1 and localhost, and a client's."""
    from tfs.certificates import make_tls_files  # noqa: PLC0415 - see the top

    return make_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds: `wait_until(lambda: ...)`."""

    def wait(holds: Callable[[], bool]) -> None:
        end = monotonic() + PATIENCE_S
        pause = Event()
        while not holds():
            assert monotonic() < end, "it never came true"
            pause.wait(0.005)

    return wait
