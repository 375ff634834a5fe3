"""One run of the job, from its folder to its place in the ledger; it may be killed anywhere."""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pictor_store.clock import now_utc
from pictor_training.config import load_config
from pictor_training.config.schema import TrainConfig
from pictor_training.errors import ConfigError, DataError, Interrupted, Locked, StoreFailed, TrainingError
from pictor_training.plan import Plan, plan_resumption, plan_run_in
from pictor_training.retraining.champions import Lineage, store_errors
from pictor_training.retraining.collecting.digests import Digests
from pictor_training.retraining.collecting.manifest import (
    MANIFEST_FILE,
    is_unchanged,
    write_manifest,
    write_quarantine,
)
from pictor_training.retraining.collecting.picture import Collection
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.contents import CONTENTS_FILE
from pictor_training.retraining.keeping import prune_runs
from pictor_training.retraining.memory import Entry, Judged, Memory, Question, State, Underway
from pictor_training.retraining.outcome import Outcome, judged_outcome
from pictor_training.retraining.question import gate_digest, training_digest
from pictor_training.retraining.releasing import GatedRelease
from pictor_training.retraining.word import VERDICT_FILE, Word, read_word, write_collected
from pictor_training.run_folder import CONFIG_FILE, is_complete
from pictor_training.stages import StageReport

LAST_WORDS: Final = "Stopped. Run the same command again: it goes on where it was."

_MOST_FAILURES: Final = 2
"""A run that ended in an error so often is not tried again; the next one begins anew."""

_ABANDONED: Final = "ABANDONED"
_QUARANTINE_FILE: Final = "quarantine.csv"


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one job. `command` is how a report quotes it."""

    config: RetrainConfig
    memory: Memory
    lineage: Lineage
    release: GatedRelease
    stages: StageReport
    command: str

    def go_on(self, underway: Underway) -> Outcome | None:
        """Bring the run that was begun to its end; None if that cannot be, and a new one is to begin.

        Raises:
            TrainingError: as carrying it out raises.
        """
        folder = self.memory.runs / underway.run
        if is_complete(folder) and read_word(folder) is not None:
            return self._finish(underway)
        plan = self._plan_again(underway, folder)
        if isinstance(plan, Plan):
            self.stages.line(f"going on with {folder}")
            return self._carry_out(self._regated(underway, folder), plan)
        version = self.release.published(folder)
        word = read_word(folder)
        if version is not None and word is not None and self.release.holds(word, version):
            self.release.settle(folder, version)
            return self._finish(underway)
        self._abandon(underway, plan)
        return None

    def begin(self, collection: Collection, question: Question) -> Outcome:
        """Train on the collection, and so on to the end.

        Raises:
            TrainingError: as carrying it out raises.
        """
        folder = self._new_folder()
        underway = Underway(folder.name, question)
        self.memory.write_state(replace(self.memory.state(), underway=underway))
        try:
            plan = self._plan(folder, collection)
        except TrainingError:  # there is nothing to go on with
            self.memory.write_state(replace(self.memory.state(), underway=None))
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self._carry_out(underway, plan)

    def _new_folder(self) -> Path:
        """Return a name that no run ever had: the clock may have jumped back to one that was pruned."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        taken = {entry.run for entry in self.memory.ledger()}
        name, attempt = f"{stamp}-{self.config.name}", 1
        while name in taken or (self.memory.runs / name).exists():
            attempt += 1
            name = f"{stamp}-{self.config.name}-{attempt}"
        return self.memory.runs / name

    def _plan(self, folder: Path, collection: Collection) -> Plan:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"The run's folder {folder} cannot be made: {error.strerror}.") from error
        root = write_manifest(folder / MANIFEST_FILE, collection.pictures)
        write_quarantine(folder / _QUARANTINE_FILE, collection.quarantined)
        write_collected(folder, collection)
        return plan_run_in(folder, _pointed(self.config.train, root, folder / MANIFEST_FILE), self.command)

    def _plan_again(self, underway: Underway, folder: Path) -> Plan | str:
        """Return the run's plan, or why it cannot be gone on with."""
        reasons = {
            "it had not begun": not (folder / CONFIG_FILE).is_file(),
            "it was ended without the gate": is_complete(folder),
            f"it has failed {underway.failures} times": underway.failures >= _MOST_FAILURES,
            "the settings of the training changed": underway.question.training
            != training_digest(self.config),
        }
        for reason, holds in reasons.items():
            if holds:
                return reason
        try:
            root = Path(load_config(None, folder / CONFIG_FILE, []).data.path)
            unchanged = is_unchanged(folder / MANIFEST_FILE, root, Digests(self.memory.digests))
            return plan_resumption(folder) if unchanged else "its pictures have changed"
        except (ConfigError, DataError) as error:  # a damaged file, or one that changed just now
            return str(error)

    def _regated(self, underway: Underway, folder: Path) -> Underway:
        """Let the gate be asked again if its limits changed since; what is published is published."""
        now = gate_digest(self.config)
        if underway.question.gate == now or self.release.published(folder) is not None:
            return underway
        try:
            (folder / VERDICT_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{folder / VERDICT_FILE} holds by former limits and cannot be removed ({error.strerror}). "
                "Allow writing there, then run the command again."
            ) from error
        asked = replace(underway, question=replace(underway.question, gate=now))
        self.memory.write_state(replace(self.memory.state(), underway=asked))
        return asked

    def _carry_out(self, underway: Underway, plan: Plan) -> Outcome:
        try:
            self.release.tools.train(plan, self.release)
        except Interrupted as stop:
            raise Interrupted(LAST_WORDS) from stop
        except (StoreFailed, Locked):  # nothing is wrong with the run
            raise
        except TrainingError:
            failed = replace(underway, failures=underway.failures + 1)
            self.memory.write_state(replace(self.memory.state(), underway=failed))
            raise
        return self._finish(underway)

    def _finish(self, underway: Underway) -> Outcome:
        folder = self.memory.runs / underway.run
        word = read_word(folder)
        if word is None:
            raise TrainingError(f"{folder / VERDICT_FILE} cannot be read. Run the command again.")
        self.memory.append(_entry(underway, word))
        question = replace(underway.question, champion=word.champion)
        judged = Judged(underway.run, question, word.verdict.decision, word.version)
        self.memory.write_state(State(None, judged))
        self._tidy()
        return judged_outcome(folder, word)

    def _abandon(self, underway: Underway, why: str) -> None:
        self.stages.line(f"run {underway.run} is set aside: {why}")
        entry = Entry(0, now_utc(), underway.run, _ABANDONED, (why,), None, None, None, "", "", "", {})
        self.memory.append(entry)
        self.memory.write_state(replace(self.memory.state(), underway=None))

    def _tidy(self) -> None:
        """Remove what is not kept; the verdict stands whether or not that works."""
        keep, model = self.config.keep, self.release.model
        try:
            with store_errors():
                if model.versions():
                    self.release.tools.prune(model, keep.versions, self.release.servers)
                versions = model.versions()
            prune_runs(self.memory.runs, self.memory.ledger(), keep.runs, versions)
        except (StoreFailed, Locked) as error:
            self.stages.line(f"older versions and runs stay for now: {error}")


def _pointed(train: TrainConfig, root: Path, manifest: Path) -> TrainConfig:
    data = train.data.model_copy(update={"path": str(root), "manifest": str(manifest)})
    return train.model_copy(update={"data": data})


def _entry(underway: Underway, word: Word) -> Entry:
    return Entry(
        sequence=0,  # the ledger's to say
        at_utc=word.at_utc,
        run=underway.run,
        decision=word.verdict.decision,
        reasons=word.verdict.reasons,
        version=word.version,
        label=word.label,
        champion=word.champion,
        pictures=underway.question.pictures,
        training=underway.question.training,
        contents=f"{underway.run}/{CONTENTS_FILE}",
        recalls=word.recalls,
    )
