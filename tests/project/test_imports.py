"""Importing is free of effects, and the light packages stay light."""

import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = ("pictor_client", "pictor_contract", "pictor_gateway", "pictor_store", "pictor_tfs")
HEAVY = ("tensorflow", "keras", "tensorflow_serving")

_IMPORT_ALL = """
import importlib, pkgutil, sys, threading

package = importlib.import_module(sys.argv[1])
names = [package.__name__]
names += [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print("loaded", " ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""

_WATCH = """
import sys

for library in sys.argv[2].split(","):  # what libraries do when they are imported is theirs
    __import__(library)

caught = []
EFFECTS = ("socket.__new__", "subprocess.Popen", "os.mkdir", "os.rename", "os.remove", "os.putenv")

def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event in EFFECTS:
        caught.append((event, str(arguments[0])))

sys.addaudithook(watch)

import os

class Recording(dict):
    # The environment as our own modules see it: whoever of them looks is caught.
    def note(self):
        frame = sys._getframe(2)
        for _ in range(3):  # os.getenv stands between
            file = "" if frame is None else frame.f_code.co_filename
            if f"/{sys.argv[1]}/" in file and not file.endswith("_pb2.py"):  # generated: protobuf's own check
                caught.append(("environ", file))
            frame = frame.f_back if frame is not None else None

    def __getitem__(self, key):
        self.note()
        return super().__getitem__(key)

    def __contains__(self, key):
        self.note()
        return super().__contains__(key)

    def __iter__(self):
        self.note()
        return super().__iter__()

    def get(self, key, default=None):
        self.note()
        return super().get(key, default)

os.environ = Recording(os.environ)
"""


def _run(arguments: list[str], *, stdin: str = "", cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-B", *arguments], input=stdin, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", LIGHT)
def test_light_packages_never_load_tensorflow(package: str, tmp_path: Path) -> None:
    """Every module of the gateway, the contract and the client imports without TensorFlow or Keras."""
    printed = _run(["-c", _IMPORT_ALL, package], cwd=tmp_path)
    loaded = next(line for line in printed.splitlines() if line.startswith("loaded")).split()[1:]
    assert not set(HEAVY) & set(loaded)


def test_the_client_loads_nothing_of_ours_and_no_numpy(tmp_path: Path) -> None:
    """A client in somebody else's service brings httpx and click, no more."""
    printed = _run(["-c", _IMPORT_ALL, "pictor_client"], cwd=tmp_path)
    loaded = set(next(line for line in printed.splitlines() if line.startswith("loaded")).split()[1:])
    assert not {"numpy", "PIL", "pictor_contract", "pictor_gateway", "pictor_training"} & loaded


@pytest.mark.parametrize(
    ("package", "libraries"),
    [
        ("pictor_client", "httpx,click"),
        ("pictor_contract", "numpy,PIL.Image,PIL.ImageOps"),
        (
            "pictor_gateway",
            "fastapi,google.protobuf.internal.builder,grpc.aio,pydantic_settings,prometheus_client,uvicorn,onnxruntime,click,PIL.Image",
        ),
        (
            "pictor_training",
            "keras,tensorflow,matplotlib.figure,sklearn.metrics,tqdm,tf2onnx,scipy.optimize,imagehash",
        ),
    ],
)
def test_importing_a_package_does_nothing(package: str, libraries: str, tmp_path: Path) -> None:
    """Importing starts no thread or process, opens no socket, writes nothing, reads no environment."""
    script = _WATCH + "before = __import__('threading').active_count()\n" + _IMPORT_ALL
    script += "print('started', threading.active_count() - before, 'caught', caught)\n"
    printed = _run(["-c", script, package, libraries], cwd=tmp_path)
    assert "started 0 caught []" in printed
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "statement",
    [
        "import os; os.environ['HOME']",
        "import os; os.getenv('HOME')",
        "from os import environ\nclass Settings:\n    home = environ.get('HOME')",
        "open('left-behind', 'w')",
    ],
)
def test_the_watch_catches_an_effect(statement: str, tmp_path: Path) -> None:
    """A package that does any of it while it is imported would be found out."""
    package = tmp_path / "pictor_planted"
    package.mkdir()
    (package / "__init__.py").write_text(statement)
    script = f"{_WATCH}\n{_IMPORT_ALL}\nprint('caught', caught)"
    printed = _run(["-c", script, package.name, "json"], cwd=tmp_path)
    assert "caught []" not in printed
