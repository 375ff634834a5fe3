"""The commands that the READMEs of k8s/ show exist: folders, objects, sub-commands and flags."""

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from k8s.checks.code import understood
from k8s.rendering import K8S, OVERLAYS, Object, overlay

READMES: Final = sorted(K8S.rglob("README.md"))
SHOWN: Final = [
    (file, line.removeprefix("$ ").partition("  #")[0].strip(" &"))
    for file in READMES
    for block in re.findall(r"```console\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)
    for line in re.sub(r"\\\n\s*", "", block).splitlines()
    if line.strip().startswith("$ ")
]
KINDS: Final = {
    "cronjob": "CronJob",
    "deploy": "Deployment",
    "deployment": "Deployment",
    "hpa": "HorizontalPodAutoscaler",
    "pdb": "PodDisruptionBudget",
    "pvc": "PersistentVolumeClaim",
    "svc": "Service",
}
"""Short names of kinds, as kubectl takes them."""


def _label(shown: tuple[Path, str]) -> str:
    return f"{shown[0].parent.name}: {shown[1][:80]}"


def _with(word: str) -> list[tuple[Path, str]]:
    return [
        (file, line.strip().removeprefix("$ ")) for file, line in SHOWN if line.strip("$ ").startswith(word)
    ]


def _there() -> set[tuple[str, str]]:
    objects: list[Object] = [found for name in OVERLAYS for found in overlay(name)]
    return {(found["kind"], found["metadata"]["name"]) for found in objects}


@pytest.mark.parametrize("shown", _with("kubectl"), ids=_label)
def test_what_kubectl_is_asked_for_exists(shown: tuple[Path, str]) -> None:
    """Folders of -k are kustomizations; deployments, services and jobs are made by some overlay."""
    words = shlex.split(shown[1])
    folders = [words[place + 1] for place, word in enumerate(words) if word == "-k"]
    assert [] == [one for one in folders if not (K8S.parent / one / "kustomization.yaml").is_file()]
    named = [re.fullmatch(r"(?:--from=)?([a-z]+)/(pictor-[a-z-]+)", word) for word in words]
    asked = {(KINDS[one[1]], one[2]) for one in named if one and one[1] in KINDS}
    assert set() == asked - _there()


@pytest.mark.parametrize("shown", _with("pictor "), ids=_label)
def test_what_pictor_is_asked_for_exists(
    shown: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command line takes these words; files that they name are there."""
    words = shlex.split(shown[1].partition(" >")[0])
    monkeypatch.chdir(tmp_path)
    for file in re.findall(r"(?<= )\w+\.\w+\b", shown[1]):
        (tmp_path / file).touch()
    try:
        understood(words[1:])
    except click.ClickException as refused:
        pytest.fail(refused.format_message())


def test_commands_are_shown() -> None:
    """The list is no empty one."""
    assert len(_with("kubectl")) > 10
    assert len(_with("pictor ")) > 2
