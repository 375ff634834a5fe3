"""Jobs that are killed at any line: the store is as before, or as it should be after."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("kill_nights.py")


def test_a_job_killed_at_any_line_is_gone_on_with(tmp_path: Path) -> None:
    """A hundred deaths: versions whole, labels right, one new version a night and never two."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "100", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    died, nights, lines = map(int, done.stdout.split())
    assert died >= 100
    assert nights < died
    assert lines > 1000, "too few lines were reached for this test to say anything"
