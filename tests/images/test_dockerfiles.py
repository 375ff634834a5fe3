"""The Dockerfiles keep their promises: pinned, small, for anybody but root, and true to the code."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from images.dockerfiles import (
    GATEWAY,
    ROOT,
    TRAINING,
    arguments,
    commands,
    instructions,
    stages,
    texts,
    variables,
)
from pictor_client import cli
from pictor_gateway.settings import ENV_PREFIX, Settings
from tools import tool

both = pytest.mark.parametrize("dockerfile", [GATEWAY, TRAINING], ids=["gateway", "training"])

FIRST_ID = 10_000
"""Below it a node's own users may be; the manifests ask for 10001."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@both
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    """What is passed over on purpose says so in its line."""
    beside_python = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    done = subprocess.run(
        [beside_python or tool("hadolint"), "--no-color", str(dockerfile)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@both
def test_every_stage_starts_from_the_one_base(dockerfile: Path, project: dict[str, Any]) -> None:
    """It has a tag, no registry's host, and a Python that the package is for."""
    base = instructions(dockerfile)[0]
    assert ("ARG", "BASE=python:3.11-slim-bookworm") == (base.word, base.text)
    assert {"${BASE}"} == {stage[0].text.split()[0] for stage in stages(dockerfile)}
    (python,) = re.findall(r":(\d+\.\d+)-", base.text)
    assert python in SpecifierSet(project["project"]["requires-python"])


@both
def test_it_runs_as_a_number_that_is_not_root(dockerfile: Path) -> None:
    """`runAsNonRoot` refuses a name; the group is said as well, or it would be root's."""
    user, group = texts(stages(dockerfile)[-1], "USER")[-1].split(":")
    assert int(user) > FIRST_ID
    assert int(group) > FIRST_ID


@both
def test_every_installation_is_pinned(dockerfile: Path) -> None:
    """By constraints.txt; our own wheel brings nothing, and more packages come only when asked for."""
    pips = [after for one in commands(stages(dockerfile)[0]) if (after := one.partition("/pip ")[2])]
    free = [one for one in pips if "--constraint constraints.txt" not in one]
    assert [
        "--python /opt/pictor/bin/python install --requirement requirements.txt ${PACKAGES}",
        "wheel --no-deps --no-build-isolation --wheel-dir dist .",
        "--python /opt/pictor/bin/python install --no-deps dist/pictor-*.whl",
        "--python /opt/pictor/bin/python check",
    ] == free
    assert 2 == len(pips) - len(free)
    assert "" == arguments(stages(dockerfile)[0])["PACKAGES"]
    assert ":all:" == variables(stages(dockerfile)[0])["PIP_ONLY_BINARY"]


@both
def test_nothing_foreign_is_brought_in(dockerfile: Path) -> None:
    """No ADD, no download of its own, no volume, no secret; only the environment leaves the builder."""
    words = [one.word for one in instructions(dockerfile)]
    assert set(words).isdisjoint({"ADD", "VOLUME", "ONBUILD", "HEALTHCHECK"})
    text = " ".join(one.text for one in instructions(dockerfile))
    assert [] == re.findall(r"://|curl |wget |apt-get|:latest|sudo ", text)
    assert [] == re.findall(r"(?i)password|secret|token|credential|_key\b", text)
    assert ["--from=builder /opt/pictor /opt/pictor"] == texts(stages(dockerfile)[-1], "COPY")


@both
def test_a_read_only_root_is_enough(dockerfile: Path) -> None:
    """Whatever a library keeps goes to /tmp, and Python writes no bytecode."""
    given = variables(stages(dockerfile)[-1])
    assert "/tmp" == given["HOME"]  # noqa: S108  # the one folder that is writable in the pod
    assert "1" == given["PYTHONDONTWRITEBYTECODE"]
    assert given.get("MPLCONFIGDIR", "/tmp/").startswith("/tmp/")  # noqa: S108  # likewise


@both
def test_it_starts_a_command_that_there_is(dockerfile: Path, project: dict[str, Any]) -> None:
    """ENTRYPOINT and CMD are lists, so no shell stands between the engine's signals and the program."""
    final = stages(dockerfile)[-1]
    (entrypoint,), (command,) = texts(final, "ENTRYPOINT"), texts(final, "CMD")
    assert [*project["project"]["scripts"]] == json.loads(entrypoint)
    assert ["SIGTERM"] == texts(final, "STOPSIGNAL")
    assert 0 == CliRunner().invoke(cli.commands, [*json.loads(command), "--help"]).exit_code


def test_the_settings_of_the_gateways_image_exist() -> None:
    """An unknown PICTOR_ variable would stop the gateway's start."""
    given = {name for name in variables(stages(GATEWAY)[-1]) if name.startswith(ENV_PREFIX)}
    assert {f"{ENV_PREFIX}HOST"} == given
    assert given <= {ENV_PREFIX + name.upper() for name in Settings.model_fields}


@both
def test_the_requirements_are_those_of_the_extras(dockerfile: Path, project: dict[str, Any]) -> None:
    """What the build installs before the code is what the package asks for: no TensorFlow in the gateway."""
    extras = arguments(stages(dockerfile)[0])["EXTRAS"]
    assert {GATEWAY: "serving", TRAINING: "serving training"}[dockerfile] == extras
    groups = [project["project"]["optional-dependencies"][name] for name in extras.split()]
    wanted = sorted(sum(groups, project["project"]["dependencies"]))
    (written,) = [one for one in commands(stages(dockerfile)[0]) if "tomllib" in one]
    program = shlex.split(written.partition(" > ")[0])[2]
    printed = subprocess.check_output(
        [sys.executable, "-c", program], text=True, cwd=ROOT, env={"EXTRAS": extras}
    )
    assert wanted == sorted(printed.splitlines())
    names = {Requirement(line).name for line in wanted}
    assert ("tensorflow" in names) == (dockerfile == TRAINING)


def test_both_images_are_built_the_same_way() -> None:
    """Two files of one kind drift apart, unless somebody looks: they differ in what they install alone."""
    one, other = (
        [step.text for step in stages(path)[0] if not re.match("EXTRAS=|.* > requirements.txt", step.text)]
        for path in (GATEWAY, TRAINING)
    )
    assert one == other


@both
def test_code_is_copied_after_what_it_needs_is_installed(dockerfile: Path) -> None:
    """A change of code must not install everything anew: that takes minutes."""
    steps = [f"{one.word} {one.text}" for one in stages(dockerfile)[0]]
    places = [
        next(at for at, step in enumerate(steps) if words in step)
        for words in ("COPY constraints.txt pyproject.toml", "--requirement", "COPY serving", "pip wheel")
    ]
    assert all(earlier < later for earlier, later in pairwise(places))


def test_the_images_versions_are_the_packages(project: dict[str, Any]) -> None:
    """Names and versions stand in one file, and a release changes them with the package."""
    listed = yaml.safe_load((ROOT / "k8s" / "images" / "kustomization.yaml").read_text())["images"]
    ours = {one["name"]: one["newTag"] for one in listed if one["name"].startswith("pictor-")}
    version = project["project"]["version"]
    assert {"pictor-gateway": version, "pictor-training": version} == ours


def test_the_readme_knows_every_build_argument_and_the_version(project: dict[str, Any]) -> None:
    """What is written about building holds for both files, and for the release it lies in."""
    readme = (ROOT / "k8s" / "images" / "README.md").read_text()
    rows = [
        re.findall(r"`([A-Z_]+)`", row.split("|")[1]) for row in readme.splitlines() if row.startswith("| `")
    ]
    for dockerfile in (GATEWAY, TRAINING):
        assert {*arguments(instructions(dockerfile))} == {name for names in rows for name in names}
    assert {project["project"]["version"]} == set(re.findall(r"pictor-\w+:([\d.]*\d)", readme))
