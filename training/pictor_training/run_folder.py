"""A run's folder: its name, its files, and the lock that keeps two processes from one run.

::

    runs/<utc>-<name>/
        config.resolved.yaml   every key, as it was run
        environment.json       command, versions, machine
        audit.json             what was found in the pictures
        history.csv            the learning curve
        checkpoints/           until the run is complete
        model.keras, model.h5  the trained network with its optimiser
        metrics.json           every figure of the held-out pictures
        artifact/              until it is published
        published.json         which version it becomes, noted just before that version appears
        manifest.csv           of a retraining: what it learns from, and from which source
        contents.csv           of a retraining: which picture was on which side
        collected.json         of a retraining: how many of them were new, what was left out and why
        quarantine.csv         of a retraining: pictures whose labels were not believed
        verdict.json           of a retraining: the gate's word
        report.html            all of it for people
    runs/.cache/               decoded pictures, shared by all runs
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from filelock import FileLock, Timeout

from pictor_training.errors import ConfigError, TrainingError

CONFIG_FILE = "config.resolved.yaml"
ENVIRONMENT_FILE = "environment.json"
AUDIT_FILE = "audit.json"
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
PUBLISHED_FILE = "published.json"
KERAS_FILE = "model.keras"
H5_FILE = "model.h5"
ARTIFACT_FOLDER = "artifact"
CHECKPOINTS_FOLDER = "checkpoints"
CHECKPOINT_FILE = f"{CHECKPOINTS_FOLDER}/last.npz"
TRAINED_FILE = f"{CHECKPOINTS_FOLDER}/trained"
"""Says that several workers have trained to the end: worker 0 needs the others no more."""

_LOCK_FILE = ".lock"


def make_run_folder(runs: Path, name: str, now: datetime | None = None) -> Path:
    """Make a new folder below `runs`, named by the UTC time and the model; two runs never share one.

    Raises:
        TrainingError: the folder cannot be made.
    """
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(1, 1000):
        run = runs / (f"{stamp}-{name}" if attempt == 1 else f"{stamp}-{name}-{attempt}")
        try:
            run.mkdir(parents=True)
        except FileExistsError:  # another training began in the same second
            continue
        except OSError as error:
            raise TrainingError(
                f"The run's folder {run} cannot be made: {error.strerror}. Say --runs."
            ) from error
        return run
    raise TrainingError(f"{runs} holds a thousand runs of {stamp}-{name} already.")


def take_run_folder(run: Path) -> None:
    """Make `run`, or take it as it is if nothing but the beginning of a run lies there.

    Raises:
        ConfigError: it holds something else.
        TrainingError: it cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in run.iterdir() if path.name != ENVIRONMENT_FILE)
    except OSError as error:
        raise TrainingError(f"The run's folder {run} cannot be made: {error.strerror}.") from error
    strange = [name for name in strange if not name.startswith(".")]  # a file cut off while it was written
    if strange:
        raise ConfigError(f"{run} is not the folder of a run: it holds {strange[0]}. Name another folder.")


def require_run(run: Path) -> None:
    """Refuse a folder that no run was begun in.

    Raises:
        ConfigError: `run` is no run's folder.
    """
    if not (run / CONFIG_FILE).is_file():
        raise ConfigError(f"{run} is not the folder of a run: it holds no {CONFIG_FILE}.")


def is_complete(run: Path) -> bool:
    """Whether the run has come to its end: reported, and without a need for its checkpoints."""
    return (run / REPORT_FILE).is_file() and not (run / CHECKPOINTS_FOLDER).is_dir()


def is_trained(run: Path) -> bool:
    """Whether the run, as far as it can be seen from here, needs other workers no more."""
    return (run / TRAINED_FILE).is_file() or is_complete(run)


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Hold the run's lock; the kernel drops it with the process.

    Raises:
        ConfigError: `run` is no run's folder.
        TrainingError: another process is at work on it, or it cannot be written.
    """
    require_run(run)
    with locked(run):
        yield


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Do the same for a folder that is to become a run's.

    Raises:
        TrainingError: another process is at work on it, or it cannot be written.
    """
    try:
        lock = FileLock(run / _LOCK_FILE, blocking=False).acquire()
    except Timeout as error:
        raise TrainingError(f"Another process is at work on {run}. Wait for it, or stop it.") from error
    except OSError as error:
        raise TrainingError(f"{run} cannot be written: {error.strerror}. Allow writing there.") from error
    with lock:
        yield


def how_to_resume(run: Path) -> str:
    """Return the command that goes on with the run."""
    return f"pictor train --resume {quote(str(run))}"
