"""The demo's gateway: on the port that was asked for, or beside it, and ready before it is shown."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from pictor_training.errors import TrainingError
from pictor_training.loopback import Gateway
from pictor_training.loopback import gateway as own_gateway

if TYPE_CHECKING:
    import subprocess

READY_WITHIN_S = 30.0


@contextmanager
def gateway(models: Path, port: int) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `pictor serve` on loopback until the block ends; yield its address once it is ready.

    Raises:
        TrainingError: it ended, or was not ready within `READY_WITHIN_S` seconds.
    """
    flags = ["--models", str(models), "--port", str(port), "--log-level", "warning"]
    with own_gateway(flags, ready_within_s=READY_WITHIN_S) as running:
        _wait_until_ready(running)
        yield running.url, running.process


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


def _wait_until_ready(running: Gateway) -> None:
    opener = build_opener(ProxyHandler({}))  # a proxy of the shell's knows nothing of our loopback
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            raise TrainingError(f"The gateway ended with exit code {running.process.returncode}.")
        try:
            with opener.open(f"{running.url}/readyz", timeout=1):
                return
        except (URLError, OSError):  # not ready yet (503)
            time.sleep(0.05)
    raise TrainingError(f"The gateway was not ready within {READY_WITHIN_S:g} s.")
