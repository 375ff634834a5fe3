"""How good the network is, told honestly: each held-out picture once, calibrated, with intervals.

Free of TensorFlow, except for `score`, which is imported by its own name.
"""

from pictor_training.evaluation.answers import scores_from_logits
from pictor_training.evaluation.calibrate import Calibration, calibrate, fit_temperature
from pictor_training.evaluation.evaluate import evaluate
from pictor_training.evaluation.figures import ClassFigures, Evaluation
from pictor_training.evaluation.intervals import Estimate
from pictor_training.evaluation.reliability import Bin, Reliability

__all__ = [
    "Bin",
    "Calibration",
    "ClassFigures",
    "Estimate",
    "Evaluation",
    "Reliability",
    "calibrate",
    "evaluate",
    "fit_temperature",
    "scores_from_logits",
]
