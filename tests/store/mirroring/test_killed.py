"""A mirror that is killed, wherever: what is seen is what was before or what comes after."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_mirror.py")


@pytest.mark.parametrize("which", ["first", "next"])
def test_a_killed_mirror_is_what_it_was_or_what_it_should_be(tmp_path: Path, which: str) -> None:
    """Versions whole, labels and configuration never ahead of them; the next pass makes all right."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), which, "25"],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert int(done.stdout) >= 50, "too few died for this test to say anything"
