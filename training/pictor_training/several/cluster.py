"""TF_CONFIG, TensorFlow's own word for who trains together, read and checked before any work.

::

    {"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}

Every process is given the same list and its own index; worker 0 leads: it alone writes, tells and publishes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pictor_training.errors import ConfigError

VARIABLE: Final = "TF_CONFIG"

_EXAMPLE: Final = (
    '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
)
_ADDRESS: Final = re.compile(r"[^\s/]+:([0-9]{1,5})")
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Cluster:
    """All workers' addresses (host:port) in their order, and which of them this process is."""

    addresses: tuple[str, ...]
    index: int

    @property
    def count(self) -> int:
        """How many train together."""
        return len(self.addresses)

    @property
    def leads(self) -> bool:
        """Whether this process is worker 0."""
        return self.index == 0

    def name_of(self, index: int) -> str:
        """Name a worker as messages do."""
        return f"worker {index} ({self.addresses[index]})"


def read_cluster(environment: Mapping[str, str]) -> Cluster | None:
    """Return who trains together; None if TF_CONFIG is not set, empty, or names one worker alone.

    Raises:
        ConfigError: it says something else than the form above.
    """
    text = environment.get(VARIABLE, "").strip()
    if text in {"", "{}"}:
        return None
    try:
        given = json.loads(text)
    except ValueError as error:
        _refuse(f"is no JSON ({error})", text)
    addresses = _addresses(given, text)
    cluster = Cluster(addresses, _index(given, len(addresses), text))
    return cluster if cluster.count > 1 else None


def refuse_cluster(environment: Mapping[str, str], command: str) -> None:
    """Refuse TF_CONFIG with several workers, for a command that works alone.

    Raises:
        ConfigError: it is set so, or malformed.
    """
    if (cluster := read_cluster(environment)) is not None:
        raise ConfigError(
            f"{VARIABLE} names {cluster.count} workers; {command} trains in one process. "
            f"Unset {VARIABLE}, or train together by pictor train."
        )


def refuse_small_batch(batch_size: int, workers: int) -> None:
    """Refuse a batch of which some workers would get nothing.

    Raises:
        ConfigError: it holds fewer pictures than there are workers.
    """
    if batch_size < workers:
        raise ConfigError(
            f"fit.batch_size is {batch_size}, and {workers} workers are to share each batch. "
            f"Set fit.batch_size to {workers} or more, or start fewer workers."
        )


def _addresses(given: object, text: str) -> tuple[str, ...]:
    jobs = given.get("cluster") if isinstance(given, dict) else None
    if not isinstance(jobs, dict):
        _refuse('has no "cluster"', text)
    others = sorted(name for name in jobs if name != "worker")
    if others:
        _refuse(
            f"names {', '.join(map(repr, others))} in its cluster: all are workers, the first leads", text
        )
    workers = jobs.get("worker")
    if not isinstance(workers, list) or not workers:
        _refuse("has no list of workers", text)
    for address in workers:
        if not _is_address(address):
            _refuse(f"has {address!r} where host:port is wanted", text)
    twice = sorted({address for address in workers if workers.count(address) > 1})
    if twice:
        _refuse(f"names {', '.join(twice)} twice", text)
    return tuple(workers)


def _is_address(address: object) -> bool:
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    return found is not None and 0 < int(found[1]) <= _LAST_PORT


def _index(given: Mapping[str, Any], count: int, text: str) -> int:
    task = given.get("task")
    if not isinstance(task, dict):
        _refuse('has no "task"', text)
    if task.get("type") != "worker":
        _refuse(f"gives the task type {task.get('type')!r}: all are workers, the first leads", text)
    index = task.get("index")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        _refuse(f"gives the index {index!r}; there are workers 0 to {count - 1}", text)
    return index


def _refuse(what: str, text: str) -> NoReturn:
    raise ConfigError(f"{VARIABLE} {what}. Received: {text:.300}. Wanted, for example: {_EXAMPLE}")
