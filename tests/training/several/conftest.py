"""Several workers as processes of this machine, on ports of their own."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SMALL_RUN = Path(__file__).parents[1] / "fitting/small_run.py"

ENDS_WITHIN_S = 400.0
"""Only a hang takes as long, even on a busy machine: starting TensorFlow takes seconds, a lost worker ten."""


def free_addresses(count: int) -> list[str]:
    """Return as many addresses on loopback that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


class Together:
    """Processes with the same command, told of each other by TF_CONFIG, each in the folder given for it."""

    def __init__(self, command: Sequence[str], addresses: Sequence[str], folders: Sequence[Path]) -> None:
        self.folders = folders
        self.processes = [
            subprocess.Popen(
                [sys.executable, *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([*sys.path, str(SMALL_RUN.parent)]),
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    "TMPDIR": str(folder),
                    "TF_CONFIG": json.dumps(
                        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                    ),
                },
            )
            for index, folder in enumerate(folders)
        ]

    def read(self, lines: int, saying: bytes) -> list[bytes]:
        """Read as many lines of worker 0 that begin so, and all before; fewer only if it has ended."""
        out = self.processes[0].stdout
        assert out is not None
        read: list[bytes] = []
        while sum(line.startswith(saying) for line in read) < lines and (line := out.readline()):
            read.append(line)
        return read

    def read_until_silent(self) -> None:
        """Read what worker 0 tells until it tells nothing for a second: it waits for another one."""
        out = self.processes[0].stdout
        assert out is not None
        while select.select([out], [], [], 1.0)[0] and os.read(out.fileno(), 65_536):
            pass

    def send(self, index: int, number: signal.Signals) -> None:
        """Send a signal to one of them."""
        self.processes[index].send_signal(number)

    def ends(self) -> list[tuple[int, str, str]]:
        """Wait for all and return exit code, output and errors of each."""
        outputs = [process.communicate(timeout=ENDS_WITHIN_S) for process in self.processes]
        return [
            (process.returncode, out.decode(), errors.decode())
            for process, (out, errors) in zip(self.processes, outputs, strict=True)
        ]

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def addresses() -> Callable[[int], list[str]]:
    """Return free addresses on loopback."""
    return free_addresses


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Together]]:
    """Start two workers, each in an empty folder; they end with the module."""
    with ExitStack() as started:

        def start(*command: str) -> Together:
            folders = [tmp_path_factory.mktemp(f"worker-{index}") for index in range(2)]
            pair = Together(command, free_addresses(2), folders)
            started.callback(pair.close)
            return pair

        yield start


@pytest.fixture(scope="session")
def program() -> str:
    """Return the path of several_run.py."""
    return str(Path(__file__).with_name("several_run.py"))


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """Load the module small_run."""
    spec = spec_from_file_location("small_run", SMALL_RUN)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["small_run"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
