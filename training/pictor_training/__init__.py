"""Trains an image classifier from a folder of pictures and publishes it as a versioned artifact."""

from pictor_training.config.schema import TrainConfig
from pictor_training.errors import (
    ConfigError,
    DataError,
    DivergedError,
    Interrupted,
    ParityError,
    PublishError,
    TrainingError,
    UnsafeModelFile,
    WorkerLost,
)

__all__ = [
    "ConfigError",
    "DataError",
    "DivergedError",
    "Interrupted",
    "ParityError",
    "PublishError",
    "TrainConfig",
    "TrainingError",
    "UnsafeModelFile",
    "WorkerLost",
]
