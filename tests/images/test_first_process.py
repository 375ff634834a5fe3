"""`pictor` as a container's first process: SIGTERM ends it from the start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pictor_client import cli
from tools import tool

_WAITING = """
import sys
from pictor_client import cli
cli.commands.main = lambda **_: (print("here", flush=True), sys.stdin.read())
cli.main()
"""
"""A command that neither handles a signal nor ends."""


def test_sigterm_ends_the_first_process_of_a_container() -> None:
    """Linux would drop it: process 1 gets only what it has a handler for. The code is the usual one."""
    first = [tool("unshare"), "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*first, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a process namespace")
    with subprocess.Popen(
        [*first, sys.executable, "-c", _WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "here\n" == process.stdout.readline()
        os.kill(_child_of(process.pid), signal.SIGTERM)
        assert 128 + signal.SIGTERM == process.wait(timeout=60)


@pytest.mark.parametrize(("pid", "handled"), [(1, True), (2, False)])
def test_only_the_first_process_handles_sigterm(
    monkeypatch: pytest.MonkeyPatch, pid: int, handled: bool
) -> None:
    """Any other dies of the signal by itself, and its parent sees that it did."""
    monkeypatch.setattr(os, "getpid", lambda: pid)
    monkeypatch.setattr(cli.commands, "main", lambda **_: signal.getsignal(signal.SIGTERM) == cli._end)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    signal.signal(signal.SIGTERM, before)
    assert handled == ended.value.code


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
