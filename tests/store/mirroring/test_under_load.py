"""TensorFlow Serving beside a mirror, asked all the time while labels move in the store."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest

from mirrored import whole_versions
from pictor_store.changes import promote, prune, rollback
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_tfs.messages import PREDICT, contract_request, read_contract

CLIENTS = 3
WAIT_S = 20
MIRROR = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bucket import bucket_at
from pictor_store.cli.models import models
from pictor_store.serving import rollout
rollout._LINGER_S = 0.3
with bucket_at(Path(sys.argv[2])):
    models(["mirror", "--store", "bucket://models", *sys.argv[3:]])
"""


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel], bucket: Any) -> StoredModel:
    """Publish four versions to object storage; the first is stable."""
    local = stored_colours(4)
    remote = open_store("bucket://models").model("colours")
    for number in local.versions():
        folder = local.folder(number)
        assert folder is not None
        remote.publish(folder)
    promote(remote, 1)
    return remote


@contextmanager
def _following(bucket: Any, into: Path, *words: str) -> Iterator[None]:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", MIRROR, tests, str(bucket.folder), "--into", str(into), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _asked(address: str) -> Iterator[list[tuple[str, Any]]]:
    """Ask for the label and for no version all the time; gives what was answered: version, or error."""
    heard: list[tuple[str, Any]] = []
    over = Event()

    def ask(label: str) -> None:
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT)
            while not over.is_set():
                try:
                    answer = call(contract_request("colours", label=label or None), timeout=WAIT_S)
                    heard.append((label, read_contract(answer)[0]))
                except grpc.RpcError as error:
                    heard.append((label, f"{error.code()} {error.details()}"))

    with ThreadPoolExecutor(CLIENTS) as threads:
        asking = [threads.submit(ask, "stable") for _ in range(CLIENTS)]
        try:
            yield heard
        finally:
            over.set()
        for one in asking:
            one.result()


def test_no_request_fails_while_versions_come_and_go(
    model: StoredModel, bucket: Any, tfs_process: Any, wait_until: Any, tmp_path: Path
) -> None:
    """The server polls the file as well; versions go from the disk soon after it let them go."""
    into = tmp_path / "mirror"
    file = into / "models.config"
    first = ("--once", "--models-config", str(file))
    with _following(bucket, into, *first):
        wait_until(file.exists)
    server = tfs_process(
        versions=(), config_file=str(file), config_poll_s=0.1, labels_anywhere=True, load_s=0.2
    )
    words = (
        "--tfs",
        server.address,
        "--models-config",
        str(file),
        "--poll-interval-s",
        "0.1",
        "--keep-s",
        "0.5",
    )
    with _following(bucket, into, "--follow", *words), _asked(server.address) as heard:

        def answers(version: int) -> None:
            wait_until(lambda: heard[-CLIENTS:] == [("stable", version)] * CLIENTS)

        answers(1)
        for version in (2, 3):
            promote(model, version)
            answers(version)
        rollback(model)
        answers(2)
        promote(model, 4)
        answers(4)
        prune(model, 1)
        wait_until(lambda: whole_versions(into, "colours") == [2, 4])

    assert [] == [one for one in heard if not isinstance(one[1], int)][:5]
    assert {1, 2, 3, 4} == {version for _, version in heard}
    assert len(heard) > 100
