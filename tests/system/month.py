"""A month of nightly retraining in fast motion, with bad days; prints what is served each night.

Usage: month.py [FOLDER] [NIGHTS]

Real files, real trainings of a tiny network, the real gate and store. Pictures arrive class by class. Each
night the version that is served answers the same fixed pictures; the last line tells the deepest fall from
one night to the next. Ends with 1 if it was deeper than the margin below.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from PIL import Image

from pictor_store.models.store import open_store
from pictor_training.errors import TrainingError
from pictor_training.retraining.champions import answers_by_onnx
from pictor_training.retraining.collecting.picture import Picture
from pictor_training.retraining.job import retrain
from pictor_training.retraining.loading import load_retrain_config
from pictor_training.retraining.tools import real_tools
from pictor_training.stages import StageReport

NAME: Final = "shapes"
KINDS: Final = {"bars": (32, 4), "rows": (4, 32), "dots": (5, 5), "checks": (8, 3)}
"""Vertical and horizontal period of each class's pattern, in pixels."""

FIXED: Final = 100
"""Pictures of each class that every night's version is asked about; none is ever trained on."""

MARGIN: Final = 0.03
"""The gate's own margin is 0.01 of the pictures that it has; this allows for those that it has not."""

JOB: Final = {
    "name": NAME,
    "sources": [{"folder": "pictures"}, {"folder": "daily", "optional": True}],
    "train": {
        "seed": 3,
        "input": {"size": [32, 32], "channels": 1},
        "network": {
            "blocks": [
                {"filters": 12, "kernel": 5, "batch_norm": True},
                {"filters": 16, "batch_norm": True},
                {"filters": 16, "batch_norm": True},
            ]
        },
        "fit": {"epochs": 15, "batch_size": 16},
        "data": {"near_duplicate_bits": 0},
        "export": {"batch_sizes": [1, 8]},
    },
    "gate": {"gateway": False, "new_labels": "allow"},
    "keep": {"versions": 3, "runs": 3},
}


def draw(kind: str, number: int) -> Image.Image:
    """Draw another picture of a class for each number: its pattern somewhere, weak, under noise."""
    random = np.random.default_rng([number, *map(ord, kind)])
    rows, columns = KINDS[kind]
    y, x = np.mgrid[0:32, 0:32]
    phase = random.uniform(0, 2 * np.pi, 2)
    wave = np.cos(2 * np.pi * y / rows + phase[0]) * np.cos(2 * np.pi * x / columns + phase[1])
    strength = random.uniform(18, 60)
    levels = 128 + strength * wave + random.normal(0, 40, (32, 32))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


@dataclass
class Month:
    """The folders, and how many pictures of each class there are so far."""

    folder: Path
    made: dict[str, int] = field(default_factory=dict)

    def write(self, kind: str, count: int, label: str | None = None, below: str = "pictures") -> str:
        """Let new pictures of `kind` arrive under `label`."""
        target = self.folder / below / (label or kind)
        target.mkdir(parents=True, exist_ok=True)
        start = self.made.get(kind, 1000)
        self.made[kind] = start + count
        for number in range(start, start + count):
            draw(kind, number).save(target / f"{kind}-{number}.png")
        return f"{count} {kind}" + (f" as {label}" if label else "")

    def break_files(self, count: int) -> str:
        """Let files arrive that were cut off."""
        for number in range(count):
            whole = next((self.folder / "pictures" / "bars").glob("bars-*.png")).read_bytes()
            (self.folder / "pictures" / "bars" / f"cut-{number}.png").write_bytes(whole[: 60 + number])
        return f"{count} corrupt files"

    def move(self, source: str, target: str) -> str:
        """Let a folder go, or come back."""
        (self.folder / source).rename(self.folder / target)
        return f"{source} -> {target}"

    def remove(self, below: str) -> str:
        """Let the owner throw a batch away."""
        shutil.rmtree(self.folder / below)
        return f"{below} is removed"

    def days(self) -> dict[int, Callable[[], str]]:
        """Return what the bad days, and those of a new class, bring; on others a few good pictures come."""
        return {
            1: lambda: f"{self.write('bars', 120)}, {self.write('rows', 120)}",
            2: lambda: "nothing",
            5: lambda: self.write("dots", 90),
            8: lambda: self.write("bars", 40, "rows", "daily"),
            9: lambda: f"{self.remove('daily')}, {self.write('rows', 20)}",
            10: lambda: self.write("checks", 90),
            12: lambda: "nothing (empty batch)",
            13: lambda: self.break_files(20),
            14: lambda: self.move("pictures/dots", "dots-away"),
            15: lambda: self.move("dots-away", "pictures/dots"),
            17: lambda: (
                f"{self.write('dots', 25, 'checks', 'daily')}, {self.write('checks', 25, None, 'daily')}"
            ),
            19: lambda: self.remove("daily"),
            20: lambda: self.write("rows", 8, "dots", "daily"),
            22: lambda: self.move("pictures", "pictures-away"),
            23: lambda: self.move("pictures-away", "pictures"),
            24: lambda: f"{self.move('models', 'models-away')}, {self.write('bars', 15)}",
            25: lambda: self.move("models-away", "models"),
            27: lambda: self.write("checks", 60, "bars", "daily"),
            28: lambda: f"{self.write('dots', 30)}, {self.write('checks', 30)}",
        }

    def play(self, night: int) -> str:
        """Let a day pass."""
        ordinary = list(KINDS)[: 2 if night < 5 else 3 if night < 10 else 4]
        special = self.days().get(night)
        return special() if special else self.write(ordinary[night % len(ordinary)], 12)

    def retrain(self) -> tuple[int, str]:
        """Run the job; its exit code and its first words."""
        file = self.folder / "retrain.yaml"
        file.write_text(yaml.safe_dump(JOB))
        try:
            outcome = retrain(
                load_retrain_config(file, []), real_tools(), StageReport(StringIO()), "month.py"
            )
        except TrainingError as error:
            return error.exit_code, str(error)
        return outcome.exit_code, "; ".join(line.strip() for line in outcome.lines[:2])

    def served(self) -> tuple[int, dict[str, float]]:
        """Return the stable version and its accuracy by class, on pictures that nobody trained on."""
        where = (
            "models" if (self.folder / "models").is_dir() else "models-away"
        )  # a server has loaded it long ago
        model = open_store(self.folder / where).model(NAME)
        version = model.labels()["stable"]
        contract, folder = model.contract(version), model.fetch(version, self.folder / "fetched")
        shares = {}
        for kind in contract.labels:
            said = answers_by_onnx(folder, contract, self._fixed(kind))
            shares[kind] = sum(one == (kind,) for one in said) / FIXED
        return version, shares

    def _fixed(self, kind: str) -> Sequence[Picture]:
        folder = self.folder / "fixed" / kind
        folder.mkdir(parents=True, exist_ok=True)
        pictures = []
        for number in range(FIXED):
            path = folder / f"{number}.png"
            if not path.exists():
                draw(kind, number).save(path)
            content = sha256(path.read_bytes()).hexdigest()
            pictures.append(Picture(path, content, (kind,), None, "fixed"))
        return pictures


def main() -> int:
    """Play the nights and print a line for each."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    nights = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    month = Month(folder)
    before: dict[str, float] = {}
    deepest = 0.0
    for night in range(1, nights + 1):
        came = month.play(night)
        code, words = month.retrain()
        version, shares = month.served()
        shared = [kind for kind in shares if kind in before]
        fall = sum(before[kind] - shares[kind] for kind in shared) / max(1, len(shared))
        deepest, before = max(deepest, fall), shares
        accuracy = sum(shares.values()) / len(shares)
        classes = " ".join(f"{kind} {share:.2f}" for kind, share in shares.items())
        sys.stdout.write(
            f"night {night:2}  exit {code}  version {version:2}  accuracy {accuracy:.3f}  ({classes})  "
            f"{came:34}  {words[:110]}\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"deepest fall {deepest:.3f}, allowed {MARGIN:g}\n")
    return int(deepest > MARGIN)


if __name__ == "__main__":
    sys.exit(main())
