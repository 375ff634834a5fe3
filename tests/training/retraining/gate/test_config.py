"""The section `gate`: described, read, strict; and importing the gate costs no TensorFlow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from pictor_training.retraining.gate import config as module
from pictor_training.retraining.gate.config import GateConfig


def test_every_key_is_described_and_read() -> None:
    """A key without a sentence cannot be used; a key that nothing reads is a lie."""
    folder = Path(module.__file__).parent
    text = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "config.py")
    fields = GateConfig.model_fields
    assert [] == [name for name, field in fields.items() if not field.description]
    assert [] == [name for name in fields if not re.search(rf"config\.{name}\b", text)]


@pytest.mark.parametrize(
    "values",
    [
        {"min_acuracy": 0.5},
        {"min_accuracy": 1.5},
        {"significance": 0},
        {"new_labels": "maybe"},
        {"min_pictures": 0},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    """Misspelt keys and impossible values never reach the gate."""
    with pytest.raises(ValidationError):
        GateConfig.model_validate(values)


def test_the_gate_loads_no_tensorflow() -> None:
    """Nights without news end before it is needed."""
    program = "import sys, pictor_training.retraining.gate.ask; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()
