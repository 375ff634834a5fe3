"""A run that cannot go on says why."""

from pathlib import Path

import pytest
import tensorflow as tf

from pictor_contract import PictureInput
from pictor_training import run
from pictor_training.config import load_config
from pictor_training.data import Source
from pictor_training.errors import TrainingError
from pictor_training.plan import Plan
from pictor_training.run_folder import CONFIG_FILE


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore")]
)
def test_too_little_memory_is_an_error_with_advice(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network or a batch can be larger than the machine; that is no reason for a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(run, "prepare", fail)
    (tmp_path / CONFIG_FILE).touch()
    source = Source(tmp_path, ("cat", "dog"), (), "binary")
    plan = Plan(tmp_path, None, load_config(str(tmp_path), None, []), PictureInput(32, 32), source)
    with pytest.raises(TrainingError, match=r"memory does not suffice \(.*\).*smaller"):
        run.carry_out(plan)
