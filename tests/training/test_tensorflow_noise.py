"""What is said while TensorFlow is imported: its chatter goes, warnings stay."""

import subprocess
import sys

SCRIPT = """
import os
from pictor_training.tensorflow_noise import quiet_tensorflow

with quiet_tensorflow():
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"W0000 00:00:1 driver.cc:1] The GPU is too old.\\n")
    print("no module", file=__import__("sys").stderr)
os.write(2, b"I0000 afterwards\\n")
"""


def test_only_informational_lines_within_the_block_are_dropped() -> None:
    """A warning of TensorFlow's and a line of Python's come through; afterwards nothing is filtered."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    said = done.stderr.splitlines()
    assert ["W0000 00:00:1 driver.cc:1] The GPU is too old.", "no module", "I0000 afterwards"] == said
