"""Retrain again and again, killing the job at other lines each time; test_killed.py runs this.

Usage: kill_nights.py FOLDER KILLS SEED

Each night brings other pictures, and the gate lets the model pass, or holds it every fourth night. The job
runs in a fork that dies before a line of ours that it comes to for the first time, chosen by chance from all
lines that a whole night executes; then perhaps another fork, then one that is left alone. What a server would
see is checked after every death and at the end of the night. Prints how many died, in how many nights, and
how many lines a night has.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from nights import Nights, hold_all, pass_all, write_pictures
from pictor_contract.artifact import list_versions, verify_manifest
from pictor_training.retraining.memory import Memory

Line = tuple[str, int]
OURS = ("/pictor_training/", "/pictor_store/", "/nights.py")
NEW = "new"


class Traced:
    """Counts lines of ours as they are first executed; dies before number `last`, if any."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.seen: set[Line] = set()

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> Any:
        """Trace a function of ours, as sys.settrace has it."""
        name = frame.f_code.co_filename
        if not any(part in name for part in OURS):
            return None
        if event == "line":
            self.seen.add((name, frame.f_lineno))
            if self.last is not None and len(self.seen) > self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def in_fork(night: Callable[[], object], traced: Traced, told: Path) -> bool:
    """Play `night` in a fork; whether it was killed. How many lines it came to is written to `told`."""
    child = os.fork()
    if child == 0:
        sys.settrace(traced)
        try:
            night()
        finally:
            sys.settrace(None)
            told.write_text(str(len(traced.seen)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"The job failed instead of dying: {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


def check(nights: Nights, before: int, *, promoted: bool, ended: bool) -> None:
    """Compare the store with what it was before the night, and with what the night was to make of it."""
    folder = nights.folder / "models" / nights.model.name
    versions, events = list_versions(folder), nights.model.history()
    for version in versions:
        verify_manifest(folder / str(version))
    stable = nights.model.labels()["stable"]
    new = [version for version in versions if version > before]
    came = [
        event.version for event in events if event.version > before and event.action in {"published", "found"}
    ]
    assert len(new) <= promoted, f"versions {new} are new"  # a number may be lost by a kill, a version not
    assert len(came) <= len(new), f"versions {came} came, of which {new} are there"
    assert stable in (before, *new), f"stable is {stable} after {before}"
    assert stable in versions
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    if ended:
        assert (len(new), len(came), stable) == (promoted, promoted, new[0] if promoted else before)


def night(nights: Nights, number: int, kills: int, dice: random.Random, lines: int) -> tuple[int, int]:
    """Play one night with some deaths; return how many died, and how many lines a whole night has."""
    shutil.rmtree(nights.pictures / NEW, ignore_errors=True)
    for old in nights.pictures.glob("*/red-1*.png"):
        old.unlink()
    write_pictures(nights.pictures, "red", 3, 1000 + 3 * number)
    promoted = number % 4 != 3
    tonight = nights.with_tools(ask=pass_all if promoted else hold_all)
    before = nights.model.labels()["stable"]
    told, died = nights.folder / "lines", 0
    for _ in range(kills):
        if not in_fork(tonight.run, Traced(dice.randrange(lines)), told):
            break  # it came to its end: the killed ones before had done most of the work
        died += 1
        check(nights, before, promoted=promoted, ended=False)
    tonight.run()
    check(nights, before, promoted=promoted, ended=True)
    memory = Memory(nights.runs, nights.model.name)
    verdicts = [entry for entry in memory.ledger() if entry.decision != "ABANDONED"]
    assert len(verdicts) == number + 2, f"{len(verdicts)} verdicts after {number + 2} nights"
    assert (memory.state().underway, tonight.run().exit_code) == (None, 0)
    check(nights, before, promoted=promoted, ended=True)
    return died, lines


def main() -> None:
    """Play an undisturbed night, count its lines, then kill."""
    folder, kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))  # noqa: S311 - no secret
    nights = Nights(folder, {"keep": {"versions": 2, "runs": 3}, "collect": {"max_loss": 0.9}}).fill(8)
    told = folder / "lines"
    assert not in_fork(nights.run, Traced(), told)
    lines = int(told.read_text())
    died = number = 0
    while died < kills:
        died += night(nights, number, dice.choice((1, 1, 2, 4)), dice, lines)[0]
        number += 1
    sys.stdout.write(f"{died} {number} {lines}\n")


if __name__ == "__main__":
    main()
