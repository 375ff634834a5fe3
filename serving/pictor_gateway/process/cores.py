"""How many processor cores this process may really use."""

from math import ceil
from os import sched_getaffinity
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(limit_file: Path = _CGROUP_LIMIT) -> int:
    """Cores by affinity and by the container's quota, whichever is less; at least 1.

    The quota matters: on a 64-core node a pod with two cores would otherwise start 64 workers.
    """
    cores = len(sched_getaffinity(0))
    try:
        quota, period = limit_file.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no cgroup v2: no quota to read
        return cores
    if quota == "max":
        return cores
    return max(1, min(cores, ceil(int(quota) / int(period))))
