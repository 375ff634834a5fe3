"""Places of every kind, and what can be published there."""

from __future__ import annotations

from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from artifacts import make_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bucket import BucketFileSystem

PATIENCE_S = 30


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds: `eventually(lambda: ...)`; fail when it takes longer than anyone would."""

    def wait(holds: Callable[[], bool]) -> None:
        end_s = monotonic() + PATIENCE_S
        pause = Event()
        while not holds():
            assert monotonic() < end_s, "it never came true"
            pause.wait(0.01)

    return wait


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Make what publishing takes for an artifact of "pets"."""
    return make_artifact(tmp_path / "artifact")


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[type[BucketFileSystem]]:
    """Let "bucket://..." be object storage in a folder of this test."""
    from bucket import bucket_at  # noqa: PLC0415 - most tests need no fsspec

    with bucket_at(tmp_path / "bucket") as here:
        yield here
