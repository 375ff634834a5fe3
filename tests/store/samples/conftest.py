"""Samples in a folder, and pictures to put there."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

import pytest

from pictor_store.samples import Judgement, Sample, Samples, day_text, open_samples, utc_text

DAY_S = 86_400.0


def make_sample(
    number: int = 1, content: bytes = b"picture", age_days: float = 0.0, **changes: Any
) -> Sample:
    """Return the record of a picture captured so many days ago."""
    moment = time() - age_days * DAY_S
    members: dict[str, Any] = {
        "id": f"{number:024x}",
        "model": "pets",
        "version": 3,
        "day": day_text(moment),
        "captured_utc": utc_text(moment),
        "reason": "sampled",
        "suffix": "jpg",
        "sha256": sha256(content).hexdigest(),
        "format": "JPEG",
        "width": 20,
        "height": 10,
        "predicted": ("cat",),
        "scores": {"cat": 0.9, "dog": 0.1},
        "subject": "",
    }
    return Sample(**{**members, **changes})


def make_judgement(sample: Sample, label: tuple[str, ...] = ("dog",)) -> Judgement:
    """Return what a user says of the picture of `sample`."""
    correct = label == sample.predicted
    return Judgement(
        sample.id,
        sample.model,
        sample.version,
        sample.day,
        utc_text(time()),
        label,
        sample.predicted,
        correct,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder that is not there yet."""
    return tmp_path / "samples"


@pytest.fixture
def samples(folder: Path) -> Samples:
    """Open the samples in it."""
    return open_samples(folder)


@pytest.fixture(name="sample")
def _sample() -> Callable[..., Sample]:
    """Make records: `sample(2, b"content", age_days=3)`."""
    return make_sample


@pytest.fixture(name="judgement")
def _judgement() -> Callable[..., Judgement]:
    """Make judgements: `judgement(sample, ("dog",))`."""
    return make_judgement


@pytest.fixture
def age(folder: Path) -> Callable[[float], None]:
    """Make all files there so many days older."""

    def make_older(days: float) -> None:
        import os  # noqa: PLC0415 - only here

        for path in folder.rglob("*"):
            moment = path.stat().st_mtime - days * DAY_S
            os.utime(path, (moment, moment))

    return make_older
