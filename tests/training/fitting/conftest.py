"""Makes the tiny run of `small_run.py`, which is a program too, available to the tests."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """Load the module small_run."""
    spec = spec_from_file_location("small_run", Path(__file__).with_name("small_run.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["small_run"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
