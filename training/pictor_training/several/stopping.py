"""A stop that all workers agree on: asked of one of them, heeded by all after the same step."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.fitting.stopping import StopRequest
from pictor_training.several.workers import Workers


class AgreedStop:
    """Stands where a StopRequest does; each step tells the others of it, along with the gradients."""

    def __init__(self, own: StopRequest, workers: Workers) -> None:
        self._own = own
        self.workers = workers
        self._unread: list[tf.Tensor] = []
        self._agreed: str | None = None
        self._settled = False

    @property
    def received(self) -> str | None:
        """Who was asked to stop, as far as all workers know by now; the same on all of them.

        What the last step told is left for the next look, so that an accelerator never waits for Python.
        """
        while len(self._unread) > 1:
            self._read(np.asarray(self._unread.pop(0)))
        return self._agreed or (self._own.received if self._settled else None)

    def flags(self) -> NDArray[np.float32]:
        """Return what this worker adds to a step: one number for each worker, its own 1 if it is to stop."""
        flags = np.zeros(self.workers.count, np.float32)
        flags[self.workers.index] = self._own.received is not None
        return flags

    def heard(self, flags: tf.Tensor) -> None:
        """Take what a step added up."""
        self._unread.append(flags)

    def settle(self) -> None:
        """Hear the others once more, after the last step; from then on this worker's own word counts."""
        self._read(self.workers.add_up(self.flags().astype(np.float64)))
        self._unread.clear()
        self._settled = True

    def _read(self, flags: NDArray[np.floating]) -> None:
        asked = np.flatnonzero(flags).tolist()
        if asked and self._agreed is None:
            own = self._own.received if self.workers.index in asked else None
            self._agreed = own or f"a signal to {self.workers.cluster.name_of(asked[0])}"
