"""What enters an image's build: what it is made of, and nothing else."""

import re
import tomllib
from pathlib import Path
from shutil import copytree

import pytest

from images.dockerfiles import GATEWAY, IGNORED, ROOT, TRAINING, context, instructions, texts

FORBIDDEN = (
    ".env",
    ".git/config",
    ".ssh/id_ed25519",
    ".venv/bin/python",
    "build/lib/a.py",
    "client/notes.txt",
    "demo/models/digits/1/saved_model.pb",
    "k8s/components/api-keys/keys.txt",
    "models/pets/1/saved_model.pb",
    "runs/1/model.keras",
    "serving/pictor_gateway/.mypy_cache/a.json",
    "serving/pictor_gateway/__pycache__/app.cpython-311.pyc",
    "tests/golden/hashes.json",
    "wheels/pip.conf",
)


def test_nothing_but_the_sources_is_sent_to_the_builder(tmp_path: Path) -> None:
    """History, secrets, pictures, models, tests and caches stay outside, wherever they lie."""
    for name in (*FORBIDDEN, "wheels/numpy-2.4.6.whl", "serving/pictor_gateway/app.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert ["serving/pictor_gateway/app.py", "wheels/numpy-2.4.6.whl"] == [*context(tmp_path, IGNORED)]


def test_every_package_of_the_wheel_is_sent_and_the_whole_is_small(tmp_path: Path) -> None:
    """A package that is added to the wheel must be let in; three megabytes are room enough."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for package in packages:
        copytree(ROOT / package, tmp_path / package)
    sent = list(context(tmp_path, IGNORED))
    assert sum((tmp_path / name).stat().st_size for name in sent) < 3 * 1024 * 1024
    assert set(packages) == {"/".join(name.split("/")[:2]) for name in sent}
    assert {path.relative_to(ROOT).as_posix() for one in packages for path in (ROOT / one).rglob("*.py")} == {
        name for name in sent if name.endswith(".py")
    }


@pytest.mark.parametrize("dockerfile", [GATEWAY, TRAINING], ids=["gateway", "training"])
def test_what_is_copied_from_the_context_is_let_in(dockerfile: Path) -> None:
    """A COPY of something that the rules keep out would fail in the build alone."""
    let_in = {line[1:].split("/")[0] for line in IGNORED.read_text().splitlines() if line.startswith("!")}
    copies = [text for text in texts(instructions(dockerfile), "COPY") if not text.startswith("--from")]
    sources = {re.sub(r"\[(.)\]", r"\1", source) for text in copies for source in text.split()[:-1]}
    assert sources == let_in
