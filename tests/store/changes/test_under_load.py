"""Promotion and rollback while clients ask all the time: a gateway and servers as processes of their own."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest

from colours import COLOURS, colour_scores, make_contract, make_picture
from pictor_contract import decode
from pictor_store.changes import promote, rollback, sync
from pictor_store.errors import RolloutFailed
from pictor_store.models.model import StoredModel
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers

SERVE = (sys.executable, "-c", "from pictor_gateway.cli import serve; serve()")
CLIENTS = 4
PICTURE = make_picture((100, 120, 110))


@dataclass
class Heard:
    """What the clients were told. Each answer is held against the scores of the version it names."""

    versions: Counter[int] = field(default_factory=Counter)
    newest: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def note(self, query: str, answer: httpx.Response) -> None:
        """Count an answer to `query`."""
        if answer.status_code != httpx.codes.OK:
            self.wrong.append(f"{query} {answer.status_code} {answer.text[:300]}")
            return
        body = answer.json()
        version = body["model"]["version"]
        scores = {one["label"]: one["score"] for one in body["predictions"]}
        if not np.allclose([scores[one] for one in COLOURS], _scores(version), atol=1e-5):
            self.wrong.append(f"{query} version {version} answers {scores}")
        self.versions[version] += 1
        self.newest[query] = version


def _scores(version: int) -> list[float]:
    pixels = decode(PICTURE, make_contract("colours", 10.0))[np.newaxis]
    return [float(one) for one in colour_scores(pixels, 10.0 * version)[0]]


@contextmanager
def _gateway(log: Path, *flags: str) -> Iterator[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PICTOR_")}
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [*SERVE, "--port", "0", "--poll-interval-s", "0.2", "--request-timeout-s", "30", *flags],
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env=environment,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "listening on " in line, log.read_text()
        yield line.partition("listening on ")[2].partition(",")[0]
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _load(url: str, wait_until: Callable[[Callable[[], bool]], None]) -> Iterator[Heard]:
    """Ask all the time: half of the clients for no version, half for the label stable."""
    heard, over = Heard(), Event()

    def ask(query: str) -> None:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
            while not over.is_set():
                heard.note(query, http.post(f"/v1/classify{query}", content=PICTURE, headers=PNG))

    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        wait_until(lambda: http.get("/readyz").status_code == httpx.codes.OK)
    with ThreadPoolExecutor(CLIENTS) as threads:
        asking = [threads.submit(ask, query) for query in ("", "?label=stable") * (CLIENTS // 2)]
        try:
            yield heard
        finally:
            over.set()
        for one in asking:
            one.result()


PNG = {"Content-Type": "image/png"}


@pytest.fixture(autouse=True)
def _linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pictor_store.serving.rollout._LINGER_S", 0.6)  # three looks of the gateway


@pytest.fixture
def model(stored_colours: Callable[..., StoredModel]) -> StoredModel:
    """Store three versions; the first is stable."""
    model = stored_colours(3)
    promote(model, 1)
    return model


@pytest.mark.parametrize("by_file", [False, True])
def test_no_request_fails_while_versions_are_promoted_and_rolled_back(
    by_file: bool, model: StoredModel, tfs_process: Any, wait_until: Any, tmp_path: Path
) -> None:
    """Two servers that take a moment to load; in between a promotion that has to be undone.

    Told by calls alone, or polling a file. Only what is AVAILABLE answers: all else is a failure here. The
    version that was never right answers nobody.
    """
    file = tmp_path / "models.config"
    sync(open_store(model.place.where), Servers(config_file=file))
    settings = {"config_file": str(file), "labels_anywhere": True, "load_s": 0.3}
    polls = {"config_poll_s": 0.1} if by_file else {}
    fleet = [tfs_process(versions=(), **settings, **polls) for _ in range(2)]
    addresses = ",".join(one.address for one in fleet)
    servers = Servers(addresses, file if by_file else None, timeout_s=30)
    flags = ("--tfs", addresses, "--model", "colours")
    with _gateway(tmp_path / "gateway.log", *flags) as url, _load(url, wait_until) as heard:

        def both_answer(version: int) -> None:
            wait_until(lambda: heard.newest == {"": version, "?label=stable": version})

        both_answer(1)
        promote(model, 2, servers=servers)
        both_answer(2)
        fleet[1].do("spoil", how="other_scores", version=3)
        with pytest.raises(RolloutFailed):
            promote(model, 3, servers=servers)
        rollback(model, servers=servers)
        both_answer(1)
        promote(model, 2, servers=servers)
        both_answer(2)

    assert [] == heard.wrong[:5]
    assert {1, 2} == set(heard.versions)
