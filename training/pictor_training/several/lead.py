"""Worker 0: it does all that a run does, and has the others' help for the training."""

import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

from pictor_training.errors import WorkerLost
from pictor_training.plan import Plan
from pictor_training.run import train_with
from pictor_training.several.cluster import VARIABLE, Cluster
from pictor_training.several.workers import JOIN_WITHIN_S

_COMMAND: Final = "from pictor_client.cli import main; main()"


def lead(plan: Plan, cluster: Cluster) -> NoReturn:
    """Train as worker 0; then go on alone with what is left of the run, as `pictor train --resume` does.

    In place of this process, because TensorFlow would write the names of its workers into the served graph.

    Raises:
        TrainingError: as `train_with` raises.
    """
    others = ", ".join(cluster.addresses[1:])
    _tell(f"worker 0 of {cluster.count}: waiting for {others}, {JOIN_WITHIN_S / 60:.0f} minutes at most")
    workers = train_with(plan, cluster)
    with suppress(WorkerLost):  # what was needed of it is there
        workers.part()
    _tell("trained: going on without the other workers")
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    sys.stdout.flush()
    os.execve(  # noqa: S606  # our own words
        sys.executable,
        [sys.executable, "-P", "-c", _COMMAND, "train", "--resume", str(plan.folder)],
        environment,
    )


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
