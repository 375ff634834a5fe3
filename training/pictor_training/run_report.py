"""The facts of a run, gathered for its report."""

import json
from dataclasses import dataclass
from pathlib import Path

from pictor_contract import ImageContract
from pictor_training.config import TrainConfig, dump_config
from pictor_training.data.example import SIDES
from pictor_training.data.prepare import PreparedData
from pictor_training.export.parity import ParityReport
from pictor_training.fitting.fit import FitResult
from pictor_training.judgement import Judgement
from pictor_training.release import Released
from pictor_training.report import ReportFacts, worst_mistakes, write_report
from pictor_training.run_folder import ENVIRONMENT_FILE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the steps of a run have brought."""

    data: PreparedData
    fitted: FitResult
    judgement: Judgement
    contract: ImageContract
    parity: ParityReport


def write_run_report(run: Path, config: TrainConfig, outcome: Outcome, released: Released) -> Path:
    """Write report.html into `run` and return its path.

    Raises:
        TrainingError: it cannot be written.
    """
    environment = json.loads((run / ENVIRONMENT_FILE).read_text(encoding="utf-8"))
    environment.pop("store")  # where it was published is told in other words
    version = released.version
    audit = outcome.data.audit.to_dict()
    by_label = audit.pop("counts")  # shown as a table of its own
    counts = {str(side): tuple(row[side] for row in by_label.values()) for side in SIDES}
    facts = ReportFacts(
        name=config.name,
        run=run.name,
        created_utc=outcome.contract.created_utc,
        command=environment.pop("command"),
        seed=config.seed,
        seconds=outcome.fitted.seconds,
        best_epoch=outcome.fitted.best_epoch,
        history=outcome.fitted.history,
        environment=environment,
        data_fingerprint=outcome.data.fingerprint,
        config_yaml=dump_config(config),
        audit=audit,
        audit_warnings=outcome.data.audit.findings(),
        split_counts=counts,
        test=outcome.judgement.test,
        val=outcome.judgement.val,
        calibration=outcome.judgement.calibration,
        mistakes=worst_mistakes(outcome.judgement.scores, outcome.data, outcome.data.test),
        parity=outcome.parity.to_dict(),
        published=None if version is None else f"{config.name} version {version}",
        verdict=released.verdict,
    )
    return write_report(run, facts)
