"""ONNX Runtime as Pictor loads it: it notes nothing about the machine, and tells nobody."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pictor_contract.engine import silence_engine

_IN_A_GATEWAY = """
    from pictor_gateway import Settings
    from pictor_gateway.backends.assembly import backend_from
    backend_from(Settings(models="."))
"""
_ABOUT_LABELS = """
    import contextlib, pathlib
    from pictor_training.errors import ChampionSilent
    from pictor_training.retraining import job, tools
    assert "onnxruntime" not in sys.modules, "most nights need no engine"
    with contextlib.suppress(ChampionSilent):
        tools.answers_by_onnx(pathlib.Path("."), None, [])
"""
_IN_TRAINING = """
    from pictor_training.tensorflow_noise import quiet_tensorflow
    with quiet_tensorflow():
        import pictor_training.run
"""
_SEEN = """
assert "onnxruntime" in sys.modules
held = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
print([one for one in held if os.path.lexists(one) and os.readlink(one).startswith("socket:")])
"""


@pytest.mark.parametrize("way", [_IN_A_GATEWAY, _ABOUT_LABELS, _IN_TRAINING])
def test_loading_it_writes_no_number_of_the_machine_and_opens_no_socket(way: str, tmp_path: Path) -> None:
    """Release 1.32 does as it is imported, below HOME; whoever starts the process need set nothing."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"import os, sys\n{dedent(way)}{_SEEN}"],
        cwd=tmp_path,
        env={**kept, "HOME": str(home), "MPLCONFIGDIR": str(tmp_path / "matplotlib")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr
    assert [] == [path for path in home.rglob("*") if path.is_file() and ".keras" not in path.parts]


def test_who_set_the_variable_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never overruled."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    silence_engine()

    assert "0" == os.environ["ORT_DISABLE_TELEMETRY"]
