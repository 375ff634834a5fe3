"""Programs that are no Python packages: a test that needs one is skipped without it, unless it must run."""

import os
import shutil
from typing import Final

import pytest

REQUIRED: Final = "TESTS_REQUIRE"
"""Programs, comma-separated, whose absence fails a test instead of skipping it; .ci/run sets it."""


def tool(name: str) -> str:
    """Return the path of a program, or skip the test that asks for it."""
    found = shutil.which(name)
    if found is not None:
        return found
    words = f"{name} is not on the PATH"
    if name in os.environ.get(REQUIRED, "").split(","):
        pytest.fail(f"{words}, and {REQUIRED} asks for it.")
    pytest.skip(f"{words}: install it to run this test")
