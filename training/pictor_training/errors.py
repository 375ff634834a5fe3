"""What training refuses, and the exit code each refusal ends the command with.

::

    TrainingError                 1
    ├── ConfigError               2   the configuration: unknown key, impossible value or combination
    ├── DataError                 4   the pictures: none, one class, unreadable manifest
    ├── DivergedError             1   the loss is not a number any more
    ├── UnsafeModelFile           1   a .h5/.keras file that could run code, or is none
    ├── ParityError               1   two forms of the model answer differently; nothing is published
    ├── PublishError              1   the store cannot take the version
    ├── StoreFailed               1   the store could not be read, or a label could not be moved
    │   └── ChampionSilent        1   the version that serves is too damaged to be asked
    ├── GatewayFailed             1   a gateway could not be asked whether it sees drift
    ├── Locked                    5   another process is retraining the model, or changing its store
    ├── WorkerLost                6   another of the workers that train together is gone; start all again
    └── Interrupted             130   Ctrl-C or SIGTERM; the run can be resumed
"""

from typing import ClassVar


class TrainingError(Exception):
    """Root of all that this package raises on purpose. The message says what to do."""

    exit_code: ClassVar[int] = 1


class ConfigError(TrainingError):
    """The configuration cannot be run."""

    exit_code = 2


class DataError(TrainingError):
    """The pictures cannot be trained on."""

    exit_code = 4


class DivergedError(TrainingError):
    """The loss is not a finite number any more."""


class UnsafeModelFile(TrainingError):
    """A model file that could run code when loaded, or that is none."""


class ParityError(TrainingError):
    """Two forms of the same model answer differently."""


class PublishError(TrainingError):
    """The store cannot take the version."""


class StoreFailed(TrainingError):
    """The store of models or of samples cannot be read or changed; what it holds is as before."""


class ChampionSilent(StoreFailed):
    """The stable version is too damaged to be asked."""


class GatewayFailed(TrainingError):
    """A gateway could not be asked, or did not answer as one."""


class Locked(TrainingError):
    """Another process is at this work."""

    exit_code = 5


class WorkerLost(TrainingError):
    """One of the workers that train together is gone, or never came; what is learnt so far is on disk."""

    exit_code = 6


class Interrupted(TrainingError):
    """Training was asked to stop; its state is on disk and the run can be resumed."""

    exit_code = 130
