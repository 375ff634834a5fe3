"""`pictor serve` with exactly the environment that its ConfigMap gives, as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from k8s.rendering import Object, combined
from k8s.test_gateway import one

WaitUntil = Callable[[Callable[[], bool]], None]

_CODE = "from pictor_gateway.cli import serve; serve()"


@dataclass
class Pod:
    """A gateway that runs as in a pod: its variables, nothing to write to but /tmp."""

    process: subprocess.Popen[str]
    main: str
    probes: str

    def status(self, path: str) -> int:
        """Ask as the kubelet does."""
        return httpx.get(self.probes + path, trust_env=False).status_code


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    """Start gateways with a ConfigMap's variables; what a test machine has otherwise is given by name."""
    running: list[subprocess.Popen[str]] = []

    def begin(objects: Sequence[Object], **instead: str) -> Pod:
        given: dict[str, str] = {**one(tuple(objects), "ConfigMap")["data"], "PICTOR_HOST": "127.0.0.1"}
        given |= {"PICTOR_PORT": "0", "PICTOR_METRICS_PORT": "0"} | instead
        system = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        with (tmp_path / "log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**system, **given},
                cwd="/",
            )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"listening on (\S+?),.*probes and metrics on (\S+)$", line)
        assert found is not None, line + (tmp_path / "log").read_text(encoding="utf-8")
        return Pod(process, found[1], found[2])

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_without_servers_it_starts_waits_and_is_ready_when_one_comes(
    start: Callable[..., Pod], tfs_process: Callable[..., Any], wait_until: WaitUntil
) -> None:
    """So the first install is no crash loop: started and alive at once, not ready with a reason until then.

    SIGTERM takes it out of traffic at once, it serves on for the drain, and exits with 0.
    """
    server = tfs_process(versions=(), begin=[("load_colours", {"version": 1, "name": "classifier"})])
    address = server.address
    server.kill()
    pod = start(combined([]), PICTOR_TFS=address, PICTOR_DRAIN_S="2")
    assert [200, 200, 503] == [pod.status(path) for path in ("/startupz", "/livez", "/readyz")]
    (reason,) = httpx.get(f"{pod.probes}/readyz", trust_env=False).json()["reasons"]
    assert f"TensorFlow Serving at {address} does not answer" in reason
    refused = httpx.post(f"{pod.main}/v1/classify", content=b"?", trust_env=False)
    assert (503, "model_not_ready") == (refused.status_code, refused.json()["code"])
    server.start()
    wait_until(lambda: pod.status("/readyz") == 200)
    pod.process.send_signal(signal.SIGTERM)
    wait_until(lambda: pod.status("/readyz") == 503)
    assert 200 == pod.status("/livez")
    assert 200 == httpx.get(f"{pod.main}/v1/models", trust_env=False).status_code
    assert 0 == pod.process.wait(30)


def test_with_an_empty_file_of_keys_it_runs_and_lets_nobody_in(
    start: Callable[..., Pod], tmp_path: Path
) -> None:
    """The component comes so: closed, and no reason for a pod not to start."""
    keys = tmp_path / "keys.txt"
    keys.write_text("# no key yet\n", encoding="utf-8")
    pod = start(combined(["api-keys"]), PICTOR_TFS="127.0.0.1:1", PICTOR_API_KEYS_FILE=str(keys))
    assert [200, 200] == [pod.status(path) for path in ("/startupz", "/livez")]
    assert 401 == httpx.get(f"{pod.main}/v1/models", trust_env=False).status_code
