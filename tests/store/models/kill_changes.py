"""Change a model again and again, killing each change at another line; test_killed.py runs this.

Usage: kill_changes.py FOLDER folder|bucket every        publications, killed before each 5th line of ours
       kill_changes.py FOLDER folder|bucket KILLS SEED   any change, killed before a random line

Each change is a fork that dies of SIGKILL: no clean-up runs. After each, before and after the recovery, what
the store promises is checked. Prints how many died.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import bucket
from artifacts import make_artifact
from pictor_contract.artifact import write_manifest
from pictor_store import durable
from pictor_store.errors import StoreLocked
from pictor_store.lineage import version_before
from pictor_store.models.store import ModelStore, StoredModel
from pictor_store.places import FolderPlace, Place
from pictor_store.places.objects import ObjectPlace

OURS = str(Path(durable.__file__).parent)
LEASE_S = 0.2
STEP = 5
STAYED_AWAKE, REFUSED = 0, 3
"""Exit codes of a child that came to its end, and of one that lost its lease: it was too slow."""

State = tuple[frozenset[int], tuple[tuple[str, int], ...]]


class Victim:
    """A model that changes, whoever dies; `attempt` tells apart who made which version."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._artifact = make_artifact(folder / "artifact")
        self._place = place
        self._made: dict[int, bytes] = {}
        self.attempt = 0

    def model(self) -> StoredModel:
        """Open it anew, as another process would."""
        return ModelStore(self._place).model("pets")

    def prepare(self) -> None:
        """Make the next artifact."""
        self.attempt += 1
        (self._artifact / "attempt").write_text(str(self.attempt))
        write_manifest(self._artifact)

    def publish(self) -> None:
        """Publish, as training does."""
        self.model().publish(self._artifact)

    def promote(self, version: int) -> None:
        """Move stable, as `pictor models promote` does without servers."""
        model = self.model()
        with model.lock():
            model.recover()
            model.verify(version)
            last = model.last_event()
            labels = {**(last.labels if last else {}), "stable": version}
            model.record("promoted", version, labels, expected=last.sequence if last else 0)

    def roll_back(self) -> None:
        """Move stable to where it was."""
        model = self.model()
        with model.lock():
            model.recover()
            version = version_before(model.history(), model.versions())
            if version is not None:
                model.record("rolled_back", version, {**model.labels(), "stable": version})

    def remove(self, version: int) -> None:
        """Prune one version."""
        model = self.model()
        with model.lock():
            model.recover()
            model.remove(version)
            model.record("pruned", version)

    def begin_anew(self) -> None:
        """Keep the numbers, and little else: a change must not get longer with those before it."""
        for version in self.model().versions()[:-1]:
            self.remove(version)
        self._place.remove("pets/.history")
        self.recover()

    def any_change(self, dice: random.Random) -> Callable[[], None]:
        """Choose what is done next."""
        model = self.model()
        versions, labels = model.versions(), model.labels()
        free = [version for version in versions if version not in labels.values()]
        changes: list[Callable[[], None]] = [self.publish, self.roll_back]
        if versions:
            version = dice.choice(versions)
            changes += [lambda: self.promote(version)] * 2
        if len(free) > 1:
            going = dice.choice(free)
            changes += [lambda: self.remove(going)] * 2
        return dice.choice(changes)

    def state(self) -> State:
        """Return what a reader sees; whatever is wrong with it ends this process."""
        model = self.model()
        versions, labels, events = model.versions(), model.labels(), model.history()
        for version in versions:
            model.verify(version)
            made = model.place.read(f"pets/{version}/attempt")
            assert self._made.setdefault(version, made) == made, f"the number {version} was given twice"
        assert set(labels.values()) <= set(versions), f"{labels} name what is not in {versions}"
        assert [event.sequence for event in events] == list(range(1, len(events) + 1)), "the history has gaps"
        return frozenset(versions), tuple(sorted(labels.items()))

    def recover(self) -> None:
        """Recover, and check that nothing is left to recover."""
        model = self.model()
        while self._place.exists("pets"):
            try:
                model.recover()
                break
            except StoreLocked:  # this process was too slow for its short lease
                continue
        last = model.last_event()
        assert (last.versions if last else ()) == tuple(model.versions()), "the history has not caught up"
        left = [name for name in model.place.names("pets") if name.startswith((".staging", ".removed"))]
        numbers = {int(name) for name in model.place.names("pets") if name.isdigit()}
        assert (left, numbers) == ([], set(model.versions())), "half copies are left"


def die_before(line: int) -> None:
    """Die before so many more lines of ours."""
    left = line

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:  # as sys.settrace has it
        nonlocal left
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def dies(change: Callable[[], None], line: int) -> bool:
    """Change in a fork that dies before a line; whether it came to that."""
    child = os.fork()
    if child == 0:
        die_before(line)
        try:
            change()
        except StoreLocked:
            os._exit(REFUSED)
        sys.settrace(None)
        os._exit(STAYED_AWAKE)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in {STAYED_AWAKE, REFUSED}:
        raise SystemExit(f"The change failed instead of dying: {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


def lines_of(change: Callable[[], None]) -> int:
    """Count the lines of ours that a change takes, in this process."""
    lines = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:  # as sys.settrace has it
        nonlocal lines
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        change()
    finally:
        sys.settrace(None)
    return lines


def survive(victim: Victim, change: Callable[[], None], line: int) -> bool:
    """Kill a change; what is there is what was before or what should be after, and a recovery keeps that."""
    before = victim.state()
    died = dies(change, line)
    between = victim.state()
    changed = [old != new for old, new in zip(before, between, strict=True)]
    assert sum(changed) <= 1, f"one change, but from {before} to {between}"
    assert len(before[0] ^ between[0]) <= 1, f"one version, but from {before} to {between}"
    victim.recover()
    assert victim.state() == between, "the recovery changed what holds"
    return died


def every_line(victim: Victim) -> int:
    """Kill a publication before its first line, the next a step further, until one lives."""
    for line in count(step=STEP):
        victim.prepare()
        if not survive(victim, victim.publish, line):
            return line // STEP
        victim.begin_anew()
    raise AssertionError


def random_lines(victim: Victim, kills: int, dice: random.Random) -> int:
    """Kill so many changes of any kind."""
    victim.prepare()
    longest = lines_of(victim.publish)
    died = 0
    while died < kills:
        victim.prepare()
        died += survive(victim, victim.any_change(dice), dice.randrange(longest))
    return died


def main() -> None:
    """Kill, and end with changes that must work."""
    folder = Path(sys.argv[1])
    if sys.argv[2] == "bucket":
        with bucket.bucket_at(folder / "bucket"):
            run(Victim(folder, ObjectPlace.open("bucket://models", LEASE_S)))
    else:
        run(Victim(folder, FolderPlace(folder / "models")))


def run(victim: Victim) -> None:
    """Do what the command line says."""
    if sys.argv[3] == "every":
        died = every_line(victim)
    else:
        died = random_lines(victim, int(sys.argv[3]), random.Random(int(sys.argv[4])))  # noqa: S311 - no secret
    victim.prepare()
    victim.publish()
    newest = victim.model().versions()[-1]
    victim.promote(newest)
    assert victim.model().labels()["stable"] == newest
    sys.stdout.write(f"{died}\n")


if __name__ == "__main__":
    main()
