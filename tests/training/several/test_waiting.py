"""Workers wait for each other: in vain for a while only, and a signal ends it, whatever is waited for."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from pictor_training.errors import ConfigError, WorkerLost
from pictor_training.several.cluster import Cluster
from pictor_training.several.meeting import _MOST_SILENT, meet

Addresses = Callable[[int], list[str]]

BLOCKED = """
import signal, threading
from pictor_training.several.blocked import blocked
signal.signal(signal.SIGTERM, lambda *_: None)
with blocked("stopped"):
    print("waiting", flush=True)
    {then}
print("over")
"""


def start(then: str) -> "subprocess.Popen[bytes]":
    """Run BLOCKED with a block that does this."""
    return subprocess.Popen(
        [sys.executable, "-c", BLOCKED.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@contextmanager
def answering(address: str, words: bytes) -> Iterator[None]:
    """Listen where worker 0 is expected, and say something else to the first who calls."""

    def answer(listening: socket.socket) -> None:
        with listening.accept()[0] as caller:
            caller.recv(100)
            caller.sendall(words)

    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port))) as listening, ThreadPoolExecutor() as threads:
        threads.submit(answer, listening)
        yield


def calling(host: str, port: int) -> socket.socket:
    """Call worker 0, which may not listen yet."""
    while True:
        try:
            return socket.create_connection((host, port), timeout=60)
        except ConnectionRefusedError:
            continue


def test_all_go_on_once_all_are_there(addresses: Addresses) -> None:
    """In whatever order they come; worker 0 leaves its port to TensorFlow."""
    told = tuple(addresses(3))
    with ThreadPoolExecutor() as threads:
        early = threads.submit(meet, Cluster(told, 2), 60)
        leader = threads.submit(meet, Cluster(told, 0), 60)
        last = threads.submit(meet, Cluster(told, 1), 60)
        for one in (early, leader, last):
            one.result(timeout=60)
    host, _, port = told[0].rpartition(":")
    with pytest.raises(OSError, match="refused"), socket.create_connection((host, int(port))):
        pass


def test_who_does_not_come_is_named(addresses: Addresses) -> None:
    """By worker 0, who alone knows; the others say that it let nothing begin."""
    told = tuple(addresses(3))
    with ThreadPoolExecutor() as threads:
        leader = threads.submit(meet, Cluster(told, 0), 0.5)
        other = threads.submit(meet, Cluster(told, 2), 0.8)
        with pytest.raises(
            WorkerLost, match=rf"Not all of 3 .* 0\.5 s\. Missing: worker 1 \({told[1]}\)\. See"
        ):
            leader.result(timeout=60)
        with pytest.raises(WorkerLost, match=rf"^Worker 0 \({told[0]}\) did not let the training begin"):
            other.result(timeout=60)


def test_a_leader_that_is_not_there_is_not_waited_for_for_ever(addresses: Addresses) -> None:
    """Nor one whose name nobody knows."""
    told = (addresses(1)[0], "b:1")
    with pytest.raises(WorkerLost, match=r"within 0\.3 s \(Connection refused\)"):
        meet(Cluster(told, 1), 0.3)


def test_workers_that_were_told_of_others_are_refused(addresses: Addresses) -> None:
    """The one that is wrong is told; worker 0 goes on waiting for the right one."""
    told = addresses(2)
    with ThreadPoolExecutor() as threads:
        leader = threads.submit(meet, Cluster((*told,), 0), 60)
        with pytest.raises(ConfigError, match="TF_CONFIG names other workers here than on worker 0"):
            meet(Cluster((*told, "c:1"), 1), 60)
        meet(Cluster((*told,), 1), 60)
        leader.result(timeout=60)


def test_a_worker_that_was_started_again_leaves_the_answer_to_tensorflow(addresses: Addresses) -> None:
    """The others have met: what listens there now speaks another language."""
    told = addresses(2)
    with answering(told[0], b"\x00\x00\x06\x04\x00"):
        meet(Cluster((*told,), 1), 60)


def test_an_answer_of_somebody_else_is_no_permission(addresses: Addresses) -> None:
    """TensorFlow would wait there for long, and name the wrong reason."""
    told = addresses(2)
    with (
        answering(told[0], b"HTTP/1.1 400 Bad Request\r\n"),
        pytest.raises(WorkerLost, match=r"within 0\.1 s \(something else answers there\)"),
    ):
        meet(Cluster((*told,), 1), 0.1)


def test_strangers_keep_nobody_from_meeting(addresses: Addresses) -> None:
    """Whether they say much, nothing, or hang up: more of them than worker 0 keeps, and no traceback."""
    told = addresses(2)
    host, _, port = told[0].rpartition(":")
    with ThreadPoolExecutor() as threads, ExitStack() as opened:
        leader = threads.submit(meet, Cluster((*told,), 0), 60)
        strangers = [opened.enter_context(calling(host, int(port))) for _ in range(_MOST_SILENT + 5)]
        assert [b""] * 5 == [one.recv(1) for one in strangers[:5]]  # the oldest were hung up on
        strangers[5].sendall(b"GET / HTTP/1.1\r\n" * 10_000)
        strangers[6].close()
        meet(Cluster((*told,), 1), 60)
        leader.result(timeout=60)


def test_a_port_that_is_taken_is_said(addresses: Addresses) -> None:
    """After the time that a training which ends may need."""
    told = addresses(2)
    host, _, port = told[0].rpartition(":")
    with socket.create_server((host, int(port))), pytest.raises(WorkerLost, match=f"listen on port {port}: "):
        meet(Cluster((*told,), 0), 0.1)


def test_a_signal_ends_a_process_that_waits_inside_a_library() -> None:
    """At once, with the exit code of an interrupted training."""
    process = start("lock = threading.Lock(); lock.acquire(); lock.acquire()")
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGTERM)
    assert (b"", b"pictor train: stopped\n") == process.communicate(timeout=60)
    assert process.returncode == 130


def test_what_comes_back_goes_on() -> None:
    """And nothing watches any more."""
    process = start("pass")
    assert (b"waiting\nover\n", b"") == process.communicate(timeout=60)
    assert process.returncode == 0
