"""All checks, by name: every public function of `objects` in the modules beside."""

from collections.abc import Callable, Iterator, Sequence
from inspect import getmembers, isfunction, signature
from typing import Final

from k8s.checks import code, jobs, mounts, naming, probes, references, security, workloads
from k8s.rendering import Object

Check = Callable[[Sequence[Object]], Iterator[str]]
"""Yields a sentence for each fault."""

CHECKS: Final[dict[str, Check]] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in (code, jobs, mounts, naming, probes, references, security, workloads)
    for name, function in getmembers(module, isfunction)
    if function.__module__ == module.__name__ and [*signature(function).parameters] == ["objects"]
    if not name.startswith("_")
}


def faults(objects: Sequence[Object]) -> list[str]:
    """Return what all checks find."""
    return [f"{name}: {fault}" for name, check in CHECKS.items() for fault in check(objects)]
