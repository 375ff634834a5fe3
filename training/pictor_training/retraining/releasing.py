"""What becomes of an exported model: the gate's word, and what follows from it. Each step finds what is done.

::

    contents.csv ─▶ gate ─▶ verdict.json ─▶ publish (published.json) ─▶ label ─▶ verdict.json with the version
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pictor_store.clock import now_utc
from pictor_store.lineage import STABLE
from pictor_store.models.model import StoredModel
from pictor_store.serving.servers import Servers
from pictor_training.config import load_config
from pictor_training.errors import StoreFailed
from pictor_training.export.publish import Record, read_record, write_record
from pictor_training.retraining.champions import Lineage, store_errors
from pictor_training.retraining.collecting.manifest import MANIFEST_FILE, read_sources
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.contents import CONTENTS_FILE, write_contents
from pictor_training.retraining.gate.champion import Champion
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.tools import Tools
from pictor_training.retraining.word import Word, read_collected, read_word, write_word
from pictor_training.run_folder import CONFIG_FILE, PUBLISHED_FILE

if TYPE_CHECKING:
    from pictor_training.release import Exported, Released

BY: Final = "pictor retrain"


@dataclass(frozen=True, slots=True)
class GatedRelease:
    """A run's release: published and labelled if the gate lets it pass. Champions are copied below `into`."""

    config: RetrainConfig
    model: StoredModel
    lineage: Lineage
    servers: Servers
    tools: Tools
    into: Path

    def __call__(self, exported: "Exported") -> "Released":
        """Ask, publish, label; called again after a kill it goes on.

        Raises:
            StoreFailed, Locked: the store cannot be read or changed now; the next call goes on.
            TrainingError: the run's folder cannot be written.
        """
        from pictor_training.release import Released  # noqa: PLC0415 - it imports what a quiet night needs not

        run = exported.run
        write_contents(run / CONTENTS_FILE, exported.data, read_sources(run / MANIFEST_FILE))
        word = self._word(exported)
        if word.verdict.decision == "PROMOTE":
            exported.stages.line(f"publish    to {self.model.where}")
            self._prepare_labels(self.published(run))
            word = self.settle(run, self._publish(exported))
        shutil.rmtree(exported.artifact, ignore_errors=True)
        return Released(word.version, word.verdict)

    def settle(self, run: Path, version: int) -> Word:
        """Give the published `version` its label and note it down.

        Raises:
            StoreFailed: the verdict does not hold any more, or the store cannot be changed now.
            Locked: another process is changing the store.
        """
        word = read_word(run)
        if word is None or not self.holds(word, version):
            raise StoreFailed(
                f"Version {version} of {self.config.name} is published without a label: another version "
                "serves now than the one it was compared with. Run the command again."
            )
        label = self._label(version)
        if label is not None:  # also where it has it already: the servers may not have followed yet
            reason = f"run {run.name} passed the gate"
            with store_errors():
                self.tools.promote(self.model, version, label, self.servers, reason)
        return write_word(run, word.settled(version, label))

    def holds(self, word: Word, mine: int | None) -> bool:
        """Whether the verdict is about the version that serves, or was followed already."""
        if mine is not None:
            label = self._label(mine)
            if label is not None and self._has(label, mine):
                return True
        return word.champion == self.lineage.serving(mine)

    def published(self, run: Path) -> int | None:
        """Return the run's version if it is in the store.

        Raises:
            PublishError: the run's note of it is damaged.
            StoreFailed: the store cannot be read.
        """
        record = read_record(run / PUBLISHED_FILE)
        if record is None or record.store != self.config.store:
            return None
        with store_errors():
            return record.version if record.version in self.model.versions() else None

    def _word(self, exported: "Exported") -> Word:
        """Return the gate's word; the one that was given already, unless it was about others."""
        mine = self.published(exported.run)
        before = read_word(exported.run)
        same = before is not None and before.weights == exported.contract.weights_sha256
        if before is not None and same and self.holds(before, mine):
            return before
        champions = self.lineage.champions(self.into, mine)
        verdict = self.tools.ask(exported, champions, self._gate(exported, champions), _files(exported))
        word = Word(
            run=exported.run.name,
            name=self.config.name,
            at_utc=now_utc(),
            verdict=verdict,
            champion=champions[0].version if champions else None,
            version=None,
            label=None,
            weights=exported.contract.weights_sha256,
            recalls={one.label: (one.correct, one.support) for one in exported.judgement.test.classes},
            pictures=_pictures(exported),
            collected=read_collected(exported.run),
        )
        return write_word(exported.run, word)

    def _gate(self, exported: "Exported", champions: Sequence[Champion]) -> GateConfig:
        """Return the gate's limits; labels that are meant to go are no reason to hold."""
        gone = {
            label
            for champion in champions
            if champion.contract is not None
            for label in champion.contract.labels
            if label not in exported.contract.labels
        }
        if gone and gone <= set(self.config.collect.removed_labels):
            return self.config.gate.model_copy(update={"removed_labels": "allow"})
        return self.config.gate

    def _prepare_labels(self, mine: int | None) -> None:
        """Let stable name what serves now, so that it does until the label moves, and can come back after."""
        serving = self.lineage.serving(mine)
        with store_errors():
            if serving is not None and STABLE not in self.model.labels():
                reason = "it serves; the next version waits for its label"
                self.tools.promote(self.model, serving, STABLE, self.servers, reason)

    def _publish(self, exported: "Exported") -> int:
        mine = self.published(exported.run)
        if mine is not None:
            return mine

        def note(number: int) -> None:
            record = Record(self.config.store, self.config.name, number)
            write_record(exported.run / PUBLISHED_FILE, record)

        with store_errors():
            return self.model.publish(
                exported.artifact,
                announce=note,
                reason=f"run {exported.run.name}",
                by=BY,
            )

    def _label(self, version: int) -> str | None:
        """Return the label for our version: none if so configured, stable where there is no other version."""
        if self.lineage.serving(version) is None:
            return STABLE
        wanted = self.config.publish.label
        return None if wanted == "none" else wanted

    def _has(self, label: str, version: int) -> bool:
        with store_errors():
            return self.model.labels().get(label) == version


def _files(exported: "Exported") -> Callable[[int], Path]:
    """Return which file holds the picture of a row."""
    root = Path(load_config(None, exported.run / CONFIG_FILE, []).data.path)
    return lambda row: root / exported.data.paths[row]


def _pictures(exported: "Exported") -> dict[str, int]:
    data = exported.data
    return {"train": len(data.train), "val": len(data.val), "test": len(data.test)}
