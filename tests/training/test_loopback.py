"""A gateway of one's own: there when it says so, and never left behind."""

import subprocess
import sys
from pathlib import Path
from threading import Event

import psutil
import pytest

from pictor_training.errors import TrainingError
from pictor_training.loopback import gateway


def test_a_gateway_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time it was given, and it does not stay behind."""
    monkeypatch.setattr("pictor_training.loopback._COMMAND", "import time; time.sleep(600)")
    with pytest.raises(TrainingError, match=r"within 0\.2 s"), gateway([], ready_within_s=0.2):
        pytest.fail("it never said anything")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_gateway_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Also by SIGKILL, which nobody can handle."""
    program = (
        "import sys, time\nfrom pictor_training.loopback import gateway\n"
        "with gateway(sys.argv[1:], ready_within_s=60) as running:\n"
        "    print(running.process.pid, flush=True)\n    time.sleep(600)\n"
    )
    flags = ["--models", str(tmp_path), "--port", "0", "--log-level", "error"]
    with subprocess.Popen([sys.executable, "-c", program, *flags], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    pause = Event()
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:  # the test's own timeout ends it
        pause.wait(0.01)
