"""One night of the job: the order of its steps and nothing else. Each step finds what is done already.

::

    lock ─▶ go on with what was begun ─▶ drift? ─▶ collect ─▶ anything new? ─▶ train, ask the gate,
                                                                              publish, label, tidy up
"""

import shutil
from dataclasses import replace
from pathlib import Path

from pictor_training.errors import ChampionSilent, DataError, Locked, StoreFailed
from pictor_training.retraining.champions import Lineage, store_errors
from pictor_training.retraining.collecting.collect import Background, collect
from pictor_training.retraining.collecting.digests import Digests
from pictor_training.retraining.collecting.manifest import write_quarantine
from pictor_training.retraining.collecting.picture import Collection
from pictor_training.retraining.collecting.samples import bring_samples
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.gate.installed import require_gateway
from pictor_training.retraining.memory import Memory
from pictor_training.retraining.outcome import DONE, Outcome, quiet_outcome
from pictor_training.retraining.question import answer_to, question_of
from pictor_training.retraining.releasing import GatedRelease
from pictor_training.retraining.running import Runs
from pictor_training.retraining.tools import Tools, open_model, servers_of
from pictor_training.stages import StageReport


def retrain(config: RetrainConfig, tools: Tools, stages: StageReport, command: str) -> Outcome:
    """Bring the model up to date with its sources, if there is anything to learn and the gate lets it pass.

    It may be killed at any point: called again it goes on, and nothing is done twice.

    Raises:
        TrainingError: one of its kinds; what serves is as before.
    """
    memory = Memory(Path(config.runs), config.name)
    with memory.held():
        try:
            return _night(config, memory, tools, stages, command)
        finally:
            shutil.rmtree(memory.champions, ignore_errors=True)


def _night(config: RetrainConfig, memory: Memory, tools: Tools, stages: StageReport, command: str) -> Outcome:
    model = open_model(config.store, config.name)
    lineage = Lineage(model, memory)
    release = GatedRelease(config, model, lineage, servers_of(config.publish), tools, memory.champions)
    runs = Runs(config, memory, lineage, release, stages, command)
    _catch_up(config, release, stages)
    underway = memory.state().underway
    if underway is not None and (outcome := runs.go_on(underway)) is not None:
        return outcome
    champion = lineage.serving()
    if champion is not None and (calm := _calm(config, tools)) is not None:
        return calm
    collection = _collected(config, memory, lineage, tools, stages)
    question = question_of(config, collection, champion)
    made = None if champion is None else lineage.entry(champion)
    if (answer := answer_to(question, memory.state().judged, made)) is not None:
        _refuse_distrusted(collection, memory.quarantine)
        return quiet_outcome(answer, collection)
    require_gateway(config.gate)
    return runs.begin(collection, question)


def _catch_up(config: RetrainConfig, release: GatedRelease, stages: StageReport) -> None:
    """Let the store and the servers finish what a killed process left; servers that are away can wait."""
    model = release.model
    with store_errors():
        if not (model.versions() or model.labels()):
            return
        model.recover()
    if release.servers:
        try:
            with store_errors():
                release.tools.sync(config.store, release.servers)
        except (StoreFailed, Locked) as error:
            stages.line(f"TensorFlow Serving does not follow for now: {error}")


def _calm(config: RetrainConfig, tools: Tools) -> Outcome | None:
    """Return the outcome where the gateways see no drift; None where they do, or nobody is to be asked."""
    if not config.drift.gateways:
        return None
    reading = tools.drifted(
        config.drift.gateways, config.name, config.drift.threshold, config.drift.timeout_s
    )
    return None if reading.drifted else Outcome(DONE, (f"Nothing to do: {reading.sentence()}",))


def _collected(
    config: RetrainConfig, memory: Memory, lineage: Lineage, tools: Tools, stages: StageReport
) -> Collection:
    champion = lineage.serving()
    contents = None if champion is None else lineage.contents(champion)
    forgotten, notes = bring_samples(config.sources, config.name, memory.collected, memory.forgotten)
    background = Background(
        collected=memory.collected,
        known=memory.known,
        before={} if contents is None else contents.labels,
        forgotten=forgotten,
        judge=None,
    )
    try:
        judge = None if champion is None else lineage.judge(champion, memory.champions, tools.answering)
        judged = replace(background, judge=judge)
        collection = collect(config, judged, Digests(memory.digests), stages)
    except ChampionSilent as silent:
        if config.gate.champion_unreadable != "allow":
            raise
        notes.append(f"New labels are not checked. {silent}")
        collection = collect(config, background, Digests(memory.digests), stages)
    collection = replace(collection, notes=(*notes, *collection.notes))
    if collection.quarantined or memory.quarantine.exists():
        write_quarantine(memory.quarantine, collection.quarantined)
    for line in (*(reason.sentence() for reason in collection.distrusted), *collection.notes):
        stages.line(line)
    if not collection.pictures:
        raise DataError("No picture is left to learn from: all are in quarantine or cannot be decoded.")
    return collection


def _refuse_distrusted(collection: Collection, listed: Path) -> None:
    """Say so where all that is new is in quarantine; once, on the night when it came."""
    if any(not reason.again for reason in collection.distrusted):
        raise DataError(
            f"All that is new is in quarantine; {listed} names the files. Correct their labels, or take them "
            "as they are: collect.accept."
        )
