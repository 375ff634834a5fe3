"""The same beginning for all workers: the same settings and pictures, and worker 0's numbers."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

import pictor_contract
import pictor_training
from pictor_training.environment import describe_environment
from pictor_training.errors import ConfigError, DataError, TrainingError
from pictor_training.fitting.state import RunState
from pictor_training.several.workers import Workers

_APART: Final = 0x9E3779B9
"""Added to the seed of each further worker's dropout and noise; odd, so that no two workers share a seed."""


def begin_alike(
    workers: Workers, identity: Mapping[str, Any], variables: Sequence[keras.Variable], state: RunState
) -> RunState:
    """Bring every worker to where worker 0 stands, and return that state.

    Random layers draw other numbers on each worker, the same ones in each run.

    Raises:
        ConfigError, DataError: a worker has other code, settings or pictures than worker 0; raised on all.
    """
    _refuse_others(workers, "versions or code", _installation(), ConfigError)
    _refuse_others(workers, "settings", identity["config"], ConfigError)
    _refuse_others(workers, "pictures, labels or split", identity["data"], DataError)
    agreed = RunState.from_dict(json.loads(workers.told_text(json.dumps(state.to_dict()))))
    values = workers.told([np.asarray(variable) for variable in variables])
    for variable, value in zip(variables, values, strict=True):
        seeds = variable.name == "seed_generator_state"
        variable.assign(_of_its_own(value, workers.index) if seeds else value)
    return agreed


def _refuse_others(workers: Workers, what: str, own: object, kind: type[TrainingError]) -> None:
    digest = np.frombuffer(sha256(json.dumps(own, sort_keys=True).encode()).digest(), np.uint8)
    differs = np.zeros(workers.count)
    differs[workers.index] = not np.array_equal(digest, workers.told([digest])[0])
    others = np.flatnonzero(workers.add_up(differs)).tolist()
    if others:
        names = ", ".join(workers.cluster.name_of(index) for index in others)
        raise kind(
            f"{names.capitalize()}: other {what} than worker 0. Start all workers with the same command, "
            "on the same pictures and from the same installation."
        )


def _installation() -> dict[str, Any]:
    """Describe the code that decides what a step does: copies that it moves apart would never meet again."""
    digest = sha256()
    for package in (pictor_contract, pictor_training):
        for folder in package.__path__:
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.read_bytes())
    return {"packages": describe_environment("")["packages"], "code": digest.hexdigest()}


def _of_its_own(seeds: np.ndarray[Any, Any], index: int) -> np.ndarray[Any, Any]:
    """Move the seed, and leave the count of draws beside it."""
    moved = seeds.astype(np.uint64)
    moved[0] = (moved[0] + index * _APART) % 2**32
    return moved.astype(seeds.dtype)
