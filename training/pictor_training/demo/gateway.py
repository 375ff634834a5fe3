"""The demo's gateway: a process of its own, as in production."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from pictor_training.errors import TrainingError

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0


@contextmanager
def gateway(models: Path, port: int) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `pictor serve` on loopback until the block ends; yield its address once it is ready.

    Raises:
        TrainingError: it ended, or was not ready within `READY_WITHIN_S` seconds.
    """
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "pictor_client", "serve", "--models", str(models)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--drain-s", "0", "--log-level", "warning"]
    process = subprocess.Popen(command)  # noqa: S603  # our own words
    try:
        _wait_until_ready(url, process)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port(wanted: int) -> int:
    """Return `wanted` if nobody listens there, else a port that is free."""
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise TrainingError("No free port on 127.0.0.1.")


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    opener = build_opener(ProxyHandler({}))  # a proxy of the shell's knows nothing of our loopback
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TrainingError(f"The gateway ended with exit code {process.returncode} before it was ready.")
        try:
            with opener.open(f"{url}/readyz", timeout=1):
                return
        except (URLError, OSError):  # not there yet, or not ready yet (503)
            time.sleep(0.05)
    raise TrainingError(f"The gateway was not ready within {READY_WITHIN_S:g} s.")
