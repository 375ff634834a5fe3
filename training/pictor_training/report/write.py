"""The run's report for people (report.html) and for programs (metrics.json)."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from pictor_training.durable import write_text_durably
from pictor_training.evaluation import Calibration, Evaluation
from pictor_training.report import charts, tables, words
from pictor_training.report.facts import ReportFacts
from pictor_training.report.thumbnail import png_uri
from pictor_training.report.verdicts import verdict_page
from pictor_training.run_folder import METRICS_FILE, REPORT_FILE

MAX_TABLE_CLASSES: Final = 25
"""A confusion table of more classes cannot be read on a screen; it becomes a map."""


def write_report(run: Path, facts: ReportFacts) -> Path:
    """Write report.html into `run`: one file that needs no other and runs no script.

    Names of classes and files are shown as text, whatever they contain.

    Raises:
        TrainingError: the file cannot be written.

    """
    pages = Environment(
        autoescape=True,
        loader=PackageLoader("pictor_training.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(
        percent=words.percent, interval=words.interval, duration=words.duration, png_uri=png_uri
    )
    path = run / REPORT_FILE
    write_text_durably(path, pages.get_template("report.html").render(_context(facts)))
    return path


def write_metrics(run: Path, test: Evaluation, val: Evaluation | None, calibration: Calibration) -> Path:
    """Write metrics.json into `run`: strict JSON, what is undefined is null.

    Raises:
        TrainingError: the file cannot be written.

    """
    figures = {
        "test": test.to_dict(),
        "val": val.to_dict() if val else None,
        "calibration": asdict(calibration),
    }
    path = run / METRICS_FILE
    write_text_durably(path, json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _context(facts: ReportFacts) -> dict[str, Any]:
    test = facts.test
    confusion = test.confusion
    has_table = confusion is not None and len(confusion) <= MAX_TABLE_CLASSES
    return {
        "facts": facts,
        "test": test,
        "tiles": tables.tiles(test),
        "conclusions": words.conclusions(facts),
        "cautions": words.cautions(facts),
        "curves": charts.learning_charts(facts),
        "confusion": tables.confusion_rows(confusion) if confusion is not None and has_table else None,
        "confusion_map": None if confusion is None or has_table else charts.confusion_chart(confusion),
        "confused": tables.most_confused(test),
        "diagrams": charts.reliability_charts(facts),
        "splits": _splits(facts),
        "audit": tables.facts_of(facts.audit),
        "environment": tables.facts_of(facts.environment),
        "verdict": verdict_page(facts.verdict),
        "parity": tables.facts_of(facts.parity or {}),
    }


def _splits(facts: ReportFacts) -> dict[str, Any]:
    names = {"train": "training", "val": "validation", "test": "held out"}
    counts = {names.get(key, key): list(row) for key, row in facts.split_counts.items()}
    most = max((count for row in counts.values() for count in row), default=0)
    return {"counts": counts, "most": max(most, 1)}
