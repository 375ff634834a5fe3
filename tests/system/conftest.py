"""Real pictures, a real training, a real gateway: everything here runs the commands a user runs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PICTOR = (sys.executable, "-m", "pictor_client")
QUICK = (
    "name=shapes",
    "fit.epochs=4",
    "fit.batch_size=8",
    *(f"network.blocks.{block}.filters=8" for block in range(3)),
)
"""Overrides that make a training of seconds; what it learns is beside the point."""

Pictor = Callable[..., "subprocess.CompletedProcess[str]"]
Serving = Callable[..., "AbstractContextManager[tuple[str, subprocess.Popen[str]]]"]


@dataclass(frozen=True)
class Trained:
    """One finished `pictor train`."""

    folder: Path
    pictures: Path
    models: Path
    run: Path
    printed: str


def environment() -> dict[str, str]:
    """Return the environment without settings of whoever runs the tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PICTOR_")}


def _pictor(*arguments: str, cwd: Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*PICTOR, *arguments], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@contextmanager
def _serving(models: Path, *arguments: str) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    process = subprocess.Popen(
        [*PICTOR, "serve", "--models", str(models), "--port", "0", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().partition("listening on ")[2].partition(",")[0], process
    finally:
        process.kill()
        process.communicate()


def _write_pictures(folder: Path) -> Path:
    generator = np.random.default_rng(7)
    for name, step in (("bars", (1, 6)), ("dots", (5, 5))):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            levels = generator.integers(0, 90, (32, 32, 3), dtype=np.uint8)
            levels[:: step[0], int(generator.integers(0, 5)) :: step[1]] += 150
            Image.fromarray(levels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def pictor() -> Pictor:
    """Run the `pictor` command to its end."""
    return _pictor


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Run `pictor serve` on a port of the system's choice; yields its address and the process."""
    return _serving


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Return overrides for a training of seconds."""
    return QUICK


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two class folders of small noisy PNGs that a network can tell apart; every picture differs."""
    return _write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Trained:
    """Train once for all tests that only look."""
    folder = tmp_path_factory.mktemp("trained")
    done = _pictor("train", "--data", str(pictures), *QUICK, cwd=folder)
    (run,) = (folder / "runs").glob("*-shapes")
    return Trained(folder, pictures, folder / "models", run, done.stdout + done.stderr)
