"""One run, from a configuration to a published version: the order of the steps and nothing else."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import tensorflow as tf

from pictor_contract import ImageContract
from pictor_store.clock import now_utc
from pictor_store.samples.copies import CACHE_FOLDER
from pictor_training.data.prepare import PreparedData, prepare
from pictor_training.durable import write_text_durably
from pictor_training.errors import TrainingError
from pictor_training.evaluation.statistics import data_statistics
from pictor_training.export.artifact import export_artifact
from pictor_training.export.parity import ParityReport
from pictor_training.fitting.determinism import make_deterministic
from pictor_training.fitting.fit import FitResult, fit
from pictor_training.judgement import Judgement, judge
from pictor_training.network.build import build_network
from pictor_training.network.saved import save_h5, save_keras
from pictor_training.plan import Plan
from pictor_training.release import Exported, Release, Released, publish_to
from pictor_training.report import write_metrics
from pictor_training.run_folder import (
    ARTIFACT_FOLDER,
    AUDIT_FILE,
    CHECKPOINTS_FOLDER,
    H5_FILE,
    KERAS_FILE,
    TRAINED_FILE,
    held,
)
from pictor_training.run_report import Outcome, write_run_report
from pictor_training.several.cluster import Cluster
from pictor_training.several.workers import Workers, join
from pictor_training.stages import StageReport


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run has to show."""

    run: Path
    report: Path
    name: str
    released: Released
    store: Path | None
    summary: str

    def lines(self) -> list[str]:
        """Say it in a few lines, for a terminal."""
        version = self.released.version
        published = "nothing (--no-publish)" if version is None else f"{self.store}/{self.name}/{version}"
        return [f"test       {self.summary}", f"published  {published}", f"report     {self.report}"]


def carry_out(plan: Plan, release: Release | None = None) -> RunResult:
    """Train, judge, export, release (publish), report; a run that was stopped goes on where it was.

    The result of a run that was stopped and carried out again is that of one that never stopped.

    Raises:
        TrainingError: one of its kinds; `Interrupted` leaves a run that can be carried out again.
    """
    stages = StageReport(sys.stderr)
    with _told(plan, stages):
        return _steps(plan, stages, release or publish_to(plan.store))


def train_with(plan: Plan, cluster: Cluster) -> Workers:
    """Do the training of the run together with the others of `cluster`; `carry_out` finds it done.

    Raises:
        TrainingError: one of its kinds; `Interrupted` and `WorkerLost` leave a run that can be gone on with.
    """
    stages = StageReport(sys.stderr)
    with _told(plan, stages):
        workers = join(cluster)
        _fit(plan, stages, _prepare(plan, stages), workers)
        write_text_durably(plan.folder / TRAINED_FILE, "")
    return workers


@contextmanager
def _told(plan: Plan, stages: StageReport) -> Iterator[None]:
    """Hold the run's folder, and say so where the memory does not suffice."""
    try:
        with held(plan.folder):
            yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = next(iter(str(error).strip().splitlines()), "no more was said")
        raise TrainingError(
            f"The memory does not suffice ({reason:.200}). Start a new run with a smaller network, "
            "input.size, fit.batch_size or export.batch_sizes."
        ) from error
    finally:
        stages.end()


def _steps(plan: Plan, stages: StageReport, release: Release) -> RunResult:
    data = _prepare(plan, stages)
    model, fitted = _fit(plan, stages, data)
    save_keras(model, plan.folder / KERAS_FILE)
    save_h5(model, plan.folder / H5_FILE)
    judgement = judge(model, data, seed=plan.config.seed, stages=stages)
    write_metrics(plan.folder, judgement.test, judgement.val, judgement.calibration)
    contract, parity = _export(plan, stages, model, data, judgement)
    outcome = Outcome(data, fitted, judgement, contract, parity)
    # Also before publication: no version without its report.
    write_run_report(plan.folder, plan.config, outcome, Released(None))
    artifact = plan.folder / ARTIFACT_FOLDER
    released = release(Exported(plan.folder, artifact, contract, data, judgement, stages))
    report = write_run_report(plan.folder, plan.config, outcome, released)
    # Kept until here: a run that was killed before could still be resumed.
    shutil.rmtree(plan.folder / CHECKPOINTS_FOLDER, ignore_errors=True)
    return RunResult(plan.folder, report, plan.config.name, released, plan.store, judgement.summary())


def _prepare(plan: Plan, stages: StageReport) -> PreparedData:
    cache = plan.folder.parent / CACHE_FOLDER
    data = prepare(plan.source, plan.config.data, plan.picture_input, cache, report=stages)
    for line in data.audit.lines():
        stages.line(line)
    audit = json.dumps(data.audit.to_dict(), indent=2, ensure_ascii=False)
    write_text_durably(plan.folder / AUDIT_FILE, audit + "\n")
    return data


def _fit(
    plan: Plan, stages: StageReport, data: PreparedData, workers: Workers | None = None
) -> tuple[keras.Model, FitResult]:
    make_deterministic(plan.config.seed)
    model = build_network(
        plan.config.network,
        plan.picture_input,
        len(data.labels),
        data.head,
        seed=plan.config.seed,
    )
    stages.line(f"network    {model.count_params():,} parameters, input {plan.picture_input.shape}")
    fitted = fit(model, plan.config, data, plan.folder, resume=True, workers=workers)
    return model, fitted


def _export(
    plan: Plan, stages: StageReport, model: keras.Model, data: PreparedData, judgement: Judgement
) -> tuple[ImageContract, ParityReport]:
    contract = ImageContract(
        name=plan.config.name,
        labels=data.labels,
        head=data.head,
        input=plan.picture_input,
        temperature=judgement.calibration.temperature,
        thresholds=judgement.thresholds(),
        allowed_batch_sizes=tuple(plan.config.export.batch_sizes),
        data_sha256=data.fingerprint,
        metrics=judgement.test.headline(),
        created_utc=now_utc(),
        made_by=f"pictor {version('pictor')}, run {plan.folder.name}",
        statistics=data_statistics(data, judgement.held_out_scores(), report=stages),
    )
    artifact = plan.folder / ARTIFACT_FOLDER
    shutil.rmtree(artifact, ignore_errors=True)  # of a run that was killed between export and publication
    stages.line("export     writing the served model and comparing its forms")
    return export_artifact(model, plan.folder / H5_FILE, contract, artifact)
