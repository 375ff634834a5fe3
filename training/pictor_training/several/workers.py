"""The other workers, and what all of them add up: TensorFlow's collectives over gRPC.

A worker that dies is noticed at once where one waits for its answer, else by its missing heartbeat after ten
seconds; every collective then fails, here too. The connections are neither encrypted nor authenticated.
"""

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.errors import WorkerLost
from pictor_training.several.blocked import blocked
from pictor_training.several.cluster import Cluster
from pictor_training.several.meeting import meet

JOIN_WITHIN_S: Final = 600.0
"""Seconds for all processes to start; a cluster may have to find machines and fetch images first."""

_LOSSES: Final = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
"""What a collective raises once one of its workers is gone or was started anew."""

_OVER_GRPC: Final = tf.distribute.experimental.CommunicationOptions(
    implementation=tf.distribute.experimental.CommunicationImplementation.RING
)
"""With GPUs too: NCCL would take ports that nobody opened, and wait for a worker that is gone."""

_TASK: Final = re.compile(r"/job:worker/replica:0/task:(\d+)")
_NO_SERVER: Final = "Could not start gRPC server"
_STOPPED: Final = "Stopped while waiting for the other workers. Run the same command on all of them again."


class Workers:
    """All who train together, this process among them."""

    def __init__(self, cluster: Cluster, strategy: tf.distribute.MultiWorkerMirroredStrategy) -> None:
        self.cluster = cluster
        self._strategy = strategy
        self._added = tf.function(
            lambda own: self.each(self.add, [own]),
            input_signature=[tf.TensorSpec((None,), tf.float64)],
            autograph=False,
        )

    @property
    def count(self) -> int:
        """How many they are."""
        return self.cluster.count

    @property
    def index(self) -> int:
        """Which of them this process is; 0 leads."""
        return self.cluster.index

    def each(self, compute: Callable[..., list[tf.Tensor]], *arguments: object) -> list[tf.Tensor]:
        """Run `compute` on every worker on its own arguments; inside, `add` meets the others.

        Layers that average over the whole batch (synchronised batch normalisation) do so only here.
        """
        return list(self._strategy.run(compute, args=arguments))

    @staticmethod
    def add(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return the workers' sums, bit by bit the same on all of them; to be called inside `each`."""
        own = [tf.identity(tensor) for tensor in tensors]  # the strategy asks for tensors with a device
        return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own))

    def add_up(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Wait for all workers and return the sum of their `numbers`."""
        with blocked(_STOPPED):
            return np.asarray(self._added(tf.constant(numbers, tf.float64))[0])

    def told(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return worker 0's arrays on every worker, exactly; the others give arrays of the same shapes.

        Whole numbers may not exceed 2**53.
        """
        flat = np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])
        theirs = self.add_up(flat if self.index == 0 else np.zeros_like(flat))
        parts = np.split(theirs, np.cumsum([array.size for array in arrays])[:-1])
        return [part.reshape(one.shape).astype(one.dtype) for part, one in zip(parts, arrays, strict=True)]

    def told_text(self, text: str) -> str:
        """Return worker 0's text on every worker."""
        encoded = np.frombuffer(text.encode(), np.uint8)
        length = int(self.told([np.array([len(encoded)])])[0][0])
        own = encoded if self.index == 0 else np.zeros(length, np.uint8)
        return bytes(self.told([own])[0]).decode()

    def part(self) -> None:
        """Wait until all are done; who comes back may end without taking another's answer away.

        Raises:
            WorkerLost: one ended before.
        """
        with self.losses_told():
            self.add_up(np.zeros(1))
        with suppress(*_LOSSES):
            self.add_up(np.zeros(1))

    @contextmanager
    def losses_told(self) -> Iterator[None]:
        """Turn what TensorFlow says about a lost worker into one sentence.

        Raises:
            WorkerLost: a worker is gone.
        """
        try:
            yield
        except _LOSSES as error:
            raise WorkerLost(_told_loss(self.cluster, str(error))) from error


def join(cluster: Cluster, within_s: float = JOIN_WITHIN_S) -> Workers:
    """Wait until all workers have started, `within_s` seconds at most.

    To be called before anything else is asked of TensorFlow. Each worker uses one GPU, the first it sees.

    Raises:
        WorkerLost: one did not come, or they cannot be brought together, as when one was started twice.
        ConfigError: another worker was told of other workers.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.set_visible_devices(gpus[:1], "GPU")
        tf.config.experimental.set_memory_growth(gpus[0], enable=True)  # several workers may share one
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(gpus[:1])},
        rpc_layer="grpc",
    )
    meet(cluster, within_s)
    try:
        with _at_the_system_s_mercy():
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver, _OVER_GRPC)
        workers = Workers(cluster, strategy)
        workers.add_up(np.zeros(1))
    except (*_LOSSES, tf.errors.UnknownError, RuntimeError) as error:
        if _NO_SERVER in str(error):
            raise WorkerLost(
                f"This worker's own address, {cluster.addresses[cluster.index]}, is taken. If the worker is "
                "running already, leave it be; else end what listens there."
            ) from error
        raise WorkerLost(_told_loss(cluster, str(error))) from error
    return workers


@contextmanager
def _at_the_system_s_mercy() -> Iterator[None]:
    """Let signals end the process as they do by default: no thread of Python runs until TensorFlow is there.

    That takes a moment, unless a worker is gone since they met. The first process of a container, which the
    kernel spares such signals, notes them as ever.
    """
    if os.getpid() == 1:
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def _told_loss(cluster: Cluster, said: str) -> str:
    lost = sorted({int(found) for found in _TASK.findall(said)} - {cluster.index})
    names = ", ".join(cluster.name_of(index) for index in lost if index < cluster.count)
    reason = " ".join(said.partition("[[{{node")[0].split())
    return (
        f"{names.capitalize() or 'Another worker'} cannot be reached any more, so none can go on. "
        f"Run the same command on all {cluster.count} workers again. (TensorFlow says: {reason[-300:]})"
    )
