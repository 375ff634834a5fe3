"""The report: one HTML file that tells how a model was made, how good it is, and how far to trust it."""

from pictor_training.report.facts import ReportFacts
from pictor_training.report.mistakes import Mistake, worst_mistakes
from pictor_training.report.write import write_metrics, write_report

__all__ = ["Mistake", "ReportFacts", "worst_mistakes", "write_metrics", "write_report"]
