"""A gateway of one's own: a process, as in production, that only this machine can ask."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final

from pictor_training.errors import TrainingError

STOP_WITHIN_S: Final = 15.0

_ANNOUNCEMENT: Final = "listening on http://"
_MOST_BYTES: Final = 65_536

# Linux sends the signal when the parent dies, however it dies: nobody's gateway stays behind.
_COMMAND: Final = f"""
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)})
from pictor_client.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running `pictor serve` that has tried its models, whatever came of it; `url` is where it listens."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def gateway(
    flags: Sequence[str],
    *,
    ready_within_s: float,
    environment: Mapping[str, str] = os.environ,
    log: IO[bytes] | None = None,
) -> Iterator[Gateway]:
    """Run `pictor serve` with `flags` on loopback until the block ends; it logs to `log`, else to stderr.

    Raises:
        TrainingError: it ended, or was not there within `ready_within_s` seconds.
    """
    command = [sys.executable, "-c", _COMMAND, "serve", "--host", "127.0.0.1", "--drain-s", "0", *flags]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own words
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=dict(environment)
        )
    except OSError as error:
        raise TrainingError(f"The gateway cannot be started ({error.strerror}).") from error
    try:
        yield Gateway(_address(process, ready_within_s), process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _address(process: "subprocess.Popen[bytes]", within_s: float) -> str:
    line = _first_line(process, within_s)
    found, separator, rest = line.partition(_ANNOUNCEMENT)
    if not separator:
        raise TrainingError(f"The gateway said {found[:200]!r} instead of where it listens.")
    return "http://" + rest.partition(",")[0].strip()


def _first_line(process: "subprocess.Popen[bytes]", within_s: float) -> str:
    assert process.stdout is not None  # noqa: S101 - as it was started
    deadline = time.monotonic() + within_s
    read = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in read and len(read) < _MOST_BYTES:
            if not waiting.select(max(0.0, deadline - time.monotonic())):
                raise TrainingError(f"The gateway was not there within {within_s:g} s.")
            part = os.read(process.stdout.fileno(), _MOST_BYTES)
            if not part:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_WITHIN_S)
                raise TrainingError(
                    f"The gateway ended with exit code {process.returncode} before it was there."
                )
            read += part
    return read.partition(b"\n")[0].decode("utf-8", "replace")
