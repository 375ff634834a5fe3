"""A tiny run for the tests of this folder: its data, configuration and network.

Started as a program it carries out the runs that its command line describes in JSON and tells of each step,
so that a test can end it at any moment: `small_run.py '[{"run": "...", "config": {}, "resume": false}]'`.
"""

import json
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pictor_contract import Head, PictureInput
from pictor_training.config.schema import TrainConfig
from pictor_training.errors import Interrupted
from pictor_training.fitting.determinism import make_deterministic
from pictor_training.fitting.fit import fit
from pictor_training.fitting.history import Row
from pictor_training.network.build import build_network

LINE = 8192
"""Bytes per step told: a pipe holds eight of them, so a program that nobody reads from cannot run ahead."""


@dataclass(frozen=True)
class SmallData:
    """Sixty pictures of stripes, lying or standing."""

    labels: tuple[str, ...]
    head: Head
    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    fingerprint: str = "stripes"


def small_data(head: Head = "binary") -> SmallData:
    """Return 43 pictures to train on and 17 to validate on: neither fills its last batch."""
    random = np.random.default_rng(7)
    kinds = random.integers(0, 2, 60)
    pictures = random.integers(0, 120, (60, 16, 16, 3))
    for picture, kind in zip(pictures, kinds, strict=True):
        stripes = picture if kind else picture.swapaxes(0, 1)
        stripes[random.integers(0, 3) :: 3] += 90
    return SmallData(
        labels=("lying", "standing"),
        head=head,
        pictures=pictures.astype(np.uint8),
        targets=np.eye(2, dtype=np.float32)[kinds],
        train=np.arange(43),
        val=np.arange(43, 60),
        test=np.arange(0),
    )


def small_config(**sections: dict[str, Any]) -> TrainConfig:
    """Return a configuration in which everything random is on; `sections` change single keys."""
    settings: dict[str, dict[str, Any]] = {
        "data": {"path": "stripes"},
        "network": {
            "blocks": [{"filters": 4, "batch_norm": True, "pool": 4, "dropout": 0.2}],
            "reduce": "average",
            "l2": 1e-3,
            "gaussian_noise": 0.01,
        },
        "optimiser": {"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.01},
        "augment": {"rotation_degrees": 10, "shift": 0.1, "zoom": 0.1, "brightness": 0.1},
        "fit": {"epochs": 3, "batch_size": 8},
    }
    for name, changes in sections.items():
        settings[name] = {**settings.get(name, {}), **changes}
    return TrainConfig.model_validate({"seed": 3, **settings})


def small_model(config: TrainConfig, head: Head = "binary") -> keras.Model:
    """Build the configuration's network for `small_data`."""
    picture_input = PictureInput(height=16, width=16)
    return build_network(config.network, picture_input, 2, head, seed=config.seed)


def digest(model: keras.Model) -> str:
    """Hash every weight."""
    return sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


def curve(history: list[Row]) -> list[Row]:
    """Leave the only column out that no two runs share."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


class TellingProgress:
    """Writes a line for every step."""

    def epoch_began(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Nothing to tell."""

    def step_done(self, loss: float) -> None:
        """Tell of the step."""
        _tell("step")

    def epoch_ended(self, row: Row, *, best: bool, left_s: float) -> None:
        """Tell of the epoch."""
        _tell("epoch")

    def note(self, text: str) -> None:
        """Nothing to tell."""

    def close(self) -> None:
        """Nothing to close."""


def _tell(text: str) -> None:
    sys.stdout.write(text.ljust(LINE - 1) + "\n")
    sys.stdout.flush()


def _main(runs: str) -> int:
    for task in json.loads(runs):
        config = small_config(**task["config"])
        make_deterministic(config.seed)
        model = small_model(config)
        try:
            result = fit(
                model,
                config,
                small_data(),
                Path(task["run"]),
                resume=task["resume"],
                progress=TellingProgress(),
            )
        except Interrupted as stopped:
            sys.stderr.write(f"{stopped}\n")
            return stopped.exit_code
        facts = {
            "curve": curve(result.history),
            "weights": digest(model),
            "best_epoch": result.best_epoch,
        }
        _tell(f"result {json.dumps(facts)}")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
