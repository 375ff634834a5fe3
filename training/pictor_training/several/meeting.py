"""All workers wait for each other before TensorFlow does, where nothing could end it or say who is missing.

Worker 0 listens on its address, which TensorFlow takes over afterwards; the others call it until it answers.
Each says who it is and whom it was told to train with.
"""

import selectors
import socket
import time
from contextlib import ExitStack, suppress
from hashlib import sha256
from typing import Final

from pictor_training.errors import ConfigError, WorkerLost
from pictor_training.several.cluster import VARIABLE, Cluster

_GO: Final = b"go\n"
_OTHERS: Final = b"others\n"
_TENSORFLOW: Final = b"\x04\x00"
"""Bytes 3 and 4 of what a gRPC server says first: HTTP/2's frame of settings."""

_LONGEST: Final = 100
_PAUSE_S: Final = 0.2
_TRY_S: Final = 5.0

_PORT_WITHIN_S: Final = 60.0
"""Seconds for whoever has worker 0's port to leave it: a training that was stopped takes a few."""

_MOST_SILENT: Final = 100
"""Callers who have not said who they are; above, the oldest goes: strangers must not use up all files."""


def meet(cluster: Cluster, within_s: float) -> None:
    """Return once all workers are there.

    Raises:
        WorkerLost: they were not within `within_s` seconds; the message says who is missing.
        ConfigError: a worker was told of others than worker 0.
    """
    deadline = time.monotonic() + within_s
    if cluster.leads:
        _gather(cluster, deadline, within_s)
    else:
        _report(cluster, deadline, within_s)


def _word(cluster: Cluster, index: int) -> bytes:
    told = sha256("\n".join(cluster.addresses).encode()).hexdigest()[:16]
    return f"pictor {told} {index}\n".encode()


def _gather(cluster: Cluster, deadline: float, within_s: float) -> None:
    expected = {_word(cluster, index): index for index in range(1, cluster.count)}
    here: dict[int, socket.socket] = {}
    silent: list[socket.socket] = []
    with ExitStack() as opened, selectors.DefaultSelector() as waiting:
        listening = opened.enter_context(_listen(cluster, deadline))
        listening.setblocking(False)
        waiting.register(listening, selectors.EVENT_READ)
        while len(here) < cluster.count - 1:
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:  # strangers may keep it busy
                raise WorkerLost(_missing(cluster, {*here}, within_s))
            for key, _ in ready:
                if key.data is None:
                    _take(listening, waiting, silent, opened)
                    continue
                if key.data.fileno() < 0:  # hung up on just now
                    continue
                silent = [one for one in silent if one is not key.data]
                here = {index: one for index, one in here.items() if one is not key.data}
                if (index := _who(key.data, expected)) is not None:
                    here[index] = key.data
                else:  # gone, or none of ours
                    _hang_up(key.data, waiting)
        for caller in here.values():
            with suppress(OSError):  # gone since: TensorFlow will say so
                caller.sendall(_GO)


def _take(
    listening: socket.socket,
    waiting: selectors.BaseSelector,
    silent: list[socket.socket],
    opened: ExitStack,
) -> None:
    try:
        caller = opened.enter_context(listening.accept()[0])
    except OSError:  # gone already
        return
    caller.setblocking(False)
    waiting.register(caller, selectors.EVENT_READ, caller)
    silent.append(caller)
    if len(silent) > _MOST_SILENT:
        _hang_up(silent.pop(0), waiting)


def _hang_up(caller: socket.socket, waiting: selectors.BaseSelector) -> None:
    waiting.unregister(caller)
    caller.close()


def _missing(cluster: Cluster, here: set[int], within_s: float) -> str:
    names = ", ".join(cluster.name_of(index) for index in range(1, cluster.count) if index not in here)
    return (
        f"Not all of {cluster.count} workers came within {within_s:g} s. Missing: {names}. See that all are "
        "started and reach worker 0, then run the same command on all of them again."
    )


def _who(caller: socket.socket, expected: dict[bytes, int]) -> int | None:
    """Return who calls; None who hung up, or is not expected, which he is told if he is one of ours."""
    try:
        said = caller.recv(_LONGEST)
        if said.startswith(b"pictor ") and said not in expected:
            caller.sendall(_OTHERS)
    except OSError:
        return None
    return expected.get(said)


def _listen(cluster: Cluster, deadline: float) -> socket.socket:
    port = int(cluster.addresses[0].rpartition(":")[2])
    deadline = min(deadline, time.monotonic() + _PORT_WITHIN_S)
    while True:
        try:
            return _bound(port)
        except OSError as error:
            if time.monotonic() > deadline:
                raise WorkerLost(
                    f"Worker 0 cannot listen on port {port}: {error.strerror}. End what does, or name "
                    f"another port in {VARIABLE}."
                ) from error
            time.sleep(_PAUSE_S)  # a training that was stopped just now may still hold it


def _bound(port: int) -> socket.socket:
    """Listen wherever this machine can be reached, as TensorFlow will."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError:
            pass  # a kernel that knows IPv6 and has none
    return socket.create_server(("", port))


def _report(cluster: Cluster, deadline: float, within_s: float) -> None:
    host, _, port = cluster.addresses[0].rpartition(":")
    why = "it did not answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), min(left, _TRY_S)) as caller:
                why = "not all came"
                caller.sendall(_word(cluster, cluster.index))
                caller.settimeout(left)
                answer = caller.recv(_LONGEST)
        except OSError as error:
            why = error.strerror or why
            answer = b""
        if answer == _OTHERS:
            raise ConfigError(
                f"{VARIABLE} names other workers here than on {cluster.name_of(0)}: "
                f"{', '.join(cluster.addresses)}. Give all of them the same list."
            )
        if answer == _GO or answer[3:5] == _TENSORFLOW:  # who comes late, TensorFlow will take or refuse
            return
        if answer:
            why = "something else answers there"
        time.sleep(min(_PAUSE_S, max(0.0, deadline - time.monotonic())))
    raise WorkerLost(
        f"{cluster.name_of(0).capitalize()} did not let the training begin within {within_s:g} s ({why}). "
        "See that all are started and reach it, then run the same command on all of them again."
    )
