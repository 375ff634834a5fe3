"""A job in a folder of its own, without TensorFlow."""

from pathlib import Path

import pytest

from nights import Nights


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """Return a job with twenty pictures of each of three colours; no night was played yet."""
    return Nights(tmp_path).fill()


@pytest.fixture
def served(nights: Nights) -> Nights:
    """Return the same job after its first night: version 1 is stable."""
    assert nights.run().exit_code == 0
    return nights
