"""The batching mode: calls that wait together, run together and fail together."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import inf
from threading import Event, Lock, Semaphore
from typing import Any

import grpc
import numpy as np

from tfs.faults import OUT_OF_TIME, QUEUE_TIMEOUT, Clock
from tfs.models import Refused
from tfs.tensors import Array

Arrays = dict[str, Array]
Work = Callable[[Arrays, Clock], Arrays]


@dataclass(frozen=True, slots=True)
class BatchingRules:
    """As in the real server's file of batching parameters."""

    max_batch_size: int = 4
    batch_timeout_s: float = 0.0
    max_enqueued_batches: int = 8
    num_batch_threads: int = 2


@dataclass(eq=False, slots=True)
class _Task:
    inputs: Arrays
    size: int
    clock: Clock
    outcome: "Arrays | Refused | None" = None


@dataclass(eq=False, slots=True)
class _Batch:
    tasks: list[_Task] = field(default_factory=list)
    size: int = 0
    full: Event = field(default_factory=Event)
    done: Event = field(default_factory=Event)


class Batcher:
    """One queue for each key. The first call of a batch runs it for the others: no threads of its own."""

    def __init__(self, rules: BatchingRules) -> None:
        self.sizes: list[int] = []
        """How many rows each batch had that ran."""
        self._rules = rules
        self._lock = Lock()
        self._open: dict[Hashable, _Batch] = {}
        self._enqueued: dict[Hashable, int] = {}
        self._threads = Semaphore(rules.num_batch_threads)

    @property
    def waiting(self) -> int:
        """How many batches wait for a thread, or for more calls."""
        with self._lock:
            return sum(self._enqueued.values())

    def run(self, key: Hashable, inputs: Arrays, clock: Clock, work: Work) -> Arrays:
        """Run `inputs` in a batch with others of the same key.

        Raises:
            Refused: the queue is full, time ran out, or the batch failed, whoever's fault it was.
        """
        task = _Task(inputs, self._size(inputs), clock)
        batch, first = self._join(key, task)
        if first:
            batch.full.wait(self._rules.batch_timeout_s)
            with self._threads:
                self._close(key, batch)
                self._finish(batch, work)
        elif not batch.done.wait(clock.left_s):
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, OUT_OF_TIME)
        assert task.outcome is not None
        if isinstance(task.outcome, Refused):
            raise Refused(task.outcome.code, task.outcome.text)
        return task.outcome

    def _size(self, inputs: Arrays) -> int:
        if not inputs:
            raise _invalid("Batching Run() must have at least one input tensor")
        if any(array.ndim == 0 for array in inputs.values()):
            raise _invalid("Batching Run() input tensors must have at least one dimension")
        size, most = len(next(iter(inputs.values()))), self._rules.max_batch_size
        if size > most:
            raise _invalid(f"Task size {size} is larger than maximum input batch size {most}")
        return size

    def _join(self, key: Hashable, task: _Task) -> tuple[_Batch, bool]:
        rules = self._rules
        with self._lock:
            batch = self._open.get(key)
            first = batch is None or batch.size + task.size > rules.max_batch_size
            if first:
                waiting = self._enqueued.get(key, 0)
                if waiting >= rules.max_enqueued_batches:
                    raise _full(waiting, rules.max_enqueued_batches)
                if batch is not None:
                    batch.full.set()
                batch = self._open[key] = _Batch()
                self._enqueued[key] = waiting + 1
            assert batch is not None
            batch.tasks.append(task)
            batch.size += task.size
            if batch.size == rules.max_batch_size:
                del self._open[key]
                batch.full.set()
            return batch, first

    def _close(self, key: Hashable, batch: _Batch) -> None:
        with self._lock:
            if self._open.get(key) is batch:
                del self._open[key]
            self._enqueued[key] -= 1
            self.sizes.append(batch.size)

    def _finish(self, batch: _Batch, work: Work) -> None:
        try:
            outputs = work(_merge(batch.tasks), _latest(batch.tasks))
            begin = 0
            for task in batch.tasks:
                task.outcome = {alias: array[begin : begin + task.size] for alias, array in outputs.items()}
                begin += task.size
        except Refused as refused:
            for task in batch.tasks:
                task.outcome = refused
        finally:
            batch.done.set()


def _merge(tasks: list[_Task]) -> Arrays:
    if all(task.clock.left_s == 0 for task in tasks):
        raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, QUEUE_TIMEOUT)
    merged: dict[str, Any] = {}
    for alias in tasks[0].inputs:
        arrays = [task.inputs[alias] for task in tasks]
        if len({array.shape[1:] for array in arrays}) > 1:
            raise Refused(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Tensors with name 'serving_default_{alias}:0' from different tasks have different "
                "shapes and padding is turned off. Set pad_variable_length_inputs to true, or ensure that "
                "all tensors with the same name have equal dimensions starting with the first dim.",
            )
        merged[alias] = np.concatenate(arrays)
    return merged


def _latest(tasks: list[_Task]) -> Clock:
    """Return the clock of the call that has most time left: the batch may take that long."""
    return max(
        (task.clock for task in tasks), key=lambda clock: inf if clock.left_s is None else clock.left_s
    )


def _invalid(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def _full(waiting: int, most: int) -> Refused:
    return Refused(
        grpc.StatusCode.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full; currently "
        f"{waiting} batches enqueued and max_enqueued_batches is {most}",
    )
