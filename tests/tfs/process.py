"""The stand-in as a process of its own: for what only a process can suffer."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from tfs.faults import Call

_TESTS = Path(__file__).parents[1]

Action = tuple[str, dict[str, Any]]


class TfsProcess:
    """A server that can be killed, stopped like a hung one, and started again on the same port.

    `options` are `StandIn`'s; `begin` is done at each start before the port opens, as the real server loads.
    """

    def __init__(self, log_file: Path, begin: Sequence[Action], **options: Any) -> None:
        self.begin = list(begin)
        self._options = {"host": "127.0.0.1", **options}
        self._log_file = log_file
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where it listens, or did: host:port."""
        return f"{self._options['host']}:{self._options['port']}"

    @property
    def pid(self) -> int:
        """Its process's number."""
        return self._running.pid

    def start(self) -> "TfsProcess":
        """Start it, and return when its port is open: the same port as before."""
        wanted = json.dumps({"options": self._options, "begin": self.begin}, default=_plain)
        with self._log_file.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tfs", wanted],
                cwd=_TESTS,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._options["port"] = self._answer()["port"]
        return self

    def do(self, action: str, **arguments: Any) -> Any:
        """Do what a method of `StandIn` or of `Faults` does; a hung process does nothing."""
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps([action, arguments], default=_plain) + "\n")
        self._running.stdin.flush()
        return self._answer()["answer"]

    def asked(self, method: str = "Predict", signature: str | None = None) -> list[Call]:
        """Return the calls of a method since its start."""
        return [Call(**call) for call in self.do("asked", method=method, signature=signature)]

    def kill(self) -> None:
        """End it as the kernel does: no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hang(self) -> None:
        """Stop it: its port stays open, and nobody answers."""
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it continue after `hang`."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "it was not started, or was killed"
        return self._process

    def _answer(self) -> dict[str, Any]:
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        assert line, self._log_file.read_text(encoding="utf-8")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
