"""The folder k8s/ reads well: one style of YAML, and every folder says what it is for."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from k8s.combinations import CONTRADICTIONS
from k8s.rendering import COMPONENTS, K8S, OVERLAYS

ROOT: Final = K8S.parent
ENTRY: Final = K8S / "README.md"
FOLDERS: Final = sorted(
    path
    for path in K8S.rglob("*")
    if path.is_dir() and not any(part.startswith((".", "__")) for part in path.parts)
)
MOST_LINES: Final = 300


def _relative(path: Path) -> str:
    return path.relative_to(K8S).as_posix()


@pytest.mark.parametrize("file", sorted([*K8S.rglob("*.yaml"), *K8S.rglob("*.yml")]), ids=_relative)
def test_yaml_has_one_style(file: Path) -> None:
    """What yamllint asks for, as .yamllint sets it."""
    rules = YamlLintConfig(file=str(ROOT / ".yamllint"))
    text = file.read_text(encoding="utf-8")
    assert [] == [f"{found.line}: {found.desc}" for found in linter.run(text, rules)]
    assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("folder", FOLDERS, ids=_relative)
def test_every_folder_is_described(folder: Path) -> None:
    """By a README of its own, or by a line in that of a folder above, which calls it by its name."""
    if (folder / "README.md").is_file():
        return
    above = [parent / "README.md" for parent in folder.parents if parent.is_relative_to(K8S)]
    texts = [file.read_text(encoding="utf-8") for file in above if file.is_file()]
    names = (_relative(folder), f"{folder.name}/")
    assert any(f"`{name}" in text for text in texts for name in names)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_has_a_readme(component: str) -> None:
    """What it adds, needs, and how to see that it works."""
    assert (K8S / "components" / component / "README.md").is_file()


@pytest.mark.parametrize("file", sorted(K8S.rglob("README.md")), ids=_relative)
def test_a_readme_names_only_what_exists(file: Path) -> None:
    """No link and no path of k8s/ leads nowhere."""
    text = file.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [] == [link for link in links if link and not (file.parent / link).exists()]
    paths = re.findall(r"\bk8s/(?:base|components|overlays|images)/?[\w./-]*\w", text)
    assert [] == [path for path in paths if not (ROOT / path).exists()]
    inner = re.findall(r"`((?:\.\./)*(?:base|components|overlays)/[\w./-]*\w)/?`", text)
    assert [] == [path for path in inner if not (K8S / path.replace("../", "")).exists()]


@pytest.mark.parametrize("file", sorted(K8S.rglob("README.md")), ids=_relative)
def test_yaml_in_a_readme_can_be_read(file: Path) -> None:
    """What is there to be copied is YAML."""
    for block in re.findall(r"```yaml\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL):
        assert list(yaml.safe_load_all(block))


def _rows(heading: str) -> list[list[str]]:
    section = ENTRY.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_the_table_of_components_is_complete() -> None:
    """Every component has its row, and excludes what the tests know to exclude it."""
    rows = _rows("Components")
    assert COMPONENTS == sorted(row[0].strip("`") for row in rows)
    excludes = {row[0].strip("`"): sorted(re.findall(r"`([a-z-]+)`", row[3])) for row in rows}
    found = {tuple(sorted((name, other))) for name, others in excludes.items() for other in others}
    assert set(CONTRADICTIONS) == found


def test_the_map_names_every_overlay_and_base() -> None:
    """A folder that nobody mentions is found by nobody."""
    text = ENTRY.read_text(encoding="utf-8")
    bases = [path.name for path in (K8S / "base").iterdir() if path.is_dir()]
    wanted = [*(f"overlays/{name}" for name in OVERLAYS), *(f"base/{name}" for name in bases)]
    assert [] == [name for name in wanted if f"`{name}" not in text]
