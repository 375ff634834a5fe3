"""Publish again and again, killing each publisher at another point; test_publish_killed.py runs this.

Usage: kill_publisher.py ARTIFACT STORE NAME lines | kill_publisher.py ARTIFACT STORE NAME KILLS SEED

Each publisher is a fork. With "lines" the first dies before the first line of ours that it comes to,
the next before the second, and so on until one lives. Otherwise KILLS of them die after a random time, which
puts the kill inside a copy as well. None runs any clean-up. What one published before it died is withdrawn,
because only then could its number be given again. The artifact's file "attempt" tells who made a version.
Prints how many died, and the attempt of the last one, which was left alone.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from pictor_contract.artifact import list_versions, write_manifest
from pictor_training.durable import force_to_disk
from pictor_training.export.publish import publish

Arm = Callable[[], None]


class Publisher:
    """Publishes one artifact, with a fresh attempt number each time."""

    def __init__(self, artifact: Path, store: Path, name: str) -> None:
        self._artifact, self._store, self._name = artifact, store, name
        self.attempt = 0

    def publish(self) -> None:
        """Publish undisturbed."""
        self._prepare()
        publish(self._artifact, self._store, self._name)

    def dies(self, arm: Arm) -> bool:
        """Publish in a fork that `arm` prepared to die; whether it died. What it published is withdrawn."""
        self._prepare()
        child = os.fork()
        if child == 0:
            arm()
            publish(self._artifact, self._store, self._name)
            sys.settrace(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"The publisher failed instead of dying: {os.WEXITSTATUS(status)}")
        self._withdraw()
        return os.WIFSIGNALED(status)

    def _prepare(self) -> None:
        self.attempt += 1
        (self._artifact / "attempt").write_text(str(self.attempt))
        write_manifest(self._artifact)

    def _withdraw(self) -> None:
        newest = self._store / self._name / str(list_versions(self._store / self._name)[-1])
        if int((newest / "attempt").read_text()) == self.attempt:
            (self._store / "withdrawn").mkdir(exist_ok=True)
            newest.rename(self._store / "withdrawn" / newest.name)


def dying_at_line(last: int) -> Arm:
    """Die before line number `last`, counting the executed ones of publish.py and of what forces to disk."""
    left = last
    counted = {function.__code__.co_filename for function in (publish, force_to_disk)}

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:  # as sys.settrace has it
        nonlocal left
        if frame.f_code.co_filename not in counted:
            return None
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return lambda: sys.settrace(trace)


def dying_after(seconds: float) -> Arm:
    """Die of a timer's signal, which nothing handles."""

    def arm() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    return arm


def kill_at_random_times(publisher: Publisher, kills: int, seconds: float, dice: random.Random) -> None:
    """Kill so many, each within `seconds`, which is the time that one publication takes."""
    died = 0
    while died < kills:
        if publisher.dies(dying_after(dice.uniform(1e-6, seconds))):
            died += 1
        else:
            seconds *= 0.9  # it lived: the machine is faster than when this was measured


def main() -> None:
    """Measure one publication, kill many, end with one that must work."""
    publisher = Publisher(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    started = time.perf_counter()
    publisher.publish()
    seconds = time.perf_counter() - started
    if sys.argv[4] == "lines":
        died = next(line for line in count() if not publisher.dies(dying_at_line(line)))
    else:
        died = int(sys.argv[4])
        kill_at_random_times(publisher, died, seconds, random.Random(int(sys.argv[5])))  # noqa: S311  # no secret
    publisher.publish()
    sys.stdout.write(f"{died} {publisher.attempt}\n")


if __name__ == "__main__":
    main()
