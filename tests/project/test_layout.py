"""The tree keeps the shape that a reader relies on."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from pictor_training.config import schema

ROOT = Path(__file__).parents[2]
FOLDERS = ("client", "serving", "training", "tests")
PACKAGES = (
    "client/pictor_client",
    "serving/pictor_contract",
    "serving/pictor_gateway",
    "serving/pictor_store",
    "serving/pictor_tfs",
    "training/pictor_training",
)
MAX_LINES = 300
MAX_FUNCTION = 45

DECODERS = re.compile(
    r"Image\.open|\.resize$|decode_(image|jpeg|png|gif|bmp)|load_img|image_dataset_from_directory"
)
THUMBNAIL: list[str] = []

EXCEPTION = re.compile(r"# (?:noqa|type: ignore)(.*)")
REASON = re.compile(r"(?:: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[a-z-]+\])\s+(?:#|-)\s*\S")


def _sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def test_no_file_is_longer_than_a_reader_holds_in_mind() -> None:
    """A file does one thing and stays under 300 lines."""
    long = {
        path.name: count for path in _sources() if (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed_for_its_users(package: str) -> None:
    """py.typed is there, so that a user's type checker reads our annotations."""
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_listed_once_and_exist(package: str) -> None:
    """`__all__` is sorted, without repeats, and every name in it is there."""
    module = importlib.import_module(Path(package).name)
    names = getattr(module, "__all__", [])
    assert sorted(set(names)) == list(names)
    assert [] == [name for name in names if not hasattr(module, name)]


def test_only_the_contract_opens_pictures() -> None:
    """No other package calls a decoder or resizes; whoever needs pixels asks `decode`."""
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in _sources()
        if not path.relative_to(ROOT).as_posix().startswith(("serving/pictor_contract/", "tests/"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and DECODERS.search(name := ast.unparse(node.func))
    ]
    assert offenders == THUMBNAIL


def test_a_function_fits_on_a_screen() -> None:
    """No function has more than 45 lines without its docstring."""
    long = {
        f"{path.name}:{node.name}": lines
        for path in _sources()
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := _lines(node)) > MAX_FUNCTION
    }
    assert {} == long


def _lines(node: "ast.FunctionDef | ast.AsyncFunctionDef") -> int:
    docstring = ast.get_docstring(node, clean=False) or ""
    return (node.end_lineno or 0) - node.lineno + 1 - (len(docstring.splitlines()) if docstring else 0)


def test_every_exception_to_a_rule_gives_its_reason() -> None:
    """`noqa` and `type: ignore` name their rule and say why."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for tail in EXCEPTION.findall(line)
        if not REASON.match(tail)
    ]
    assert [] == bare


def test_every_training_key_is_described_and_read() -> None:
    """A key without a sentence cannot be used; a key that nothing reads is a lie."""
    package = ROOT / "training" / "pictor_training"
    text = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "schema.py")
    fields = [
        (section, name, field)
        for section, found in vars(schema).items()
        if isinstance(found, type) and issubclass(found, BaseModel) and not section.startswith("_")
        for name, field in found.model_fields.items()
    ]
    assert [] == [f"{section}.{name}" for section, name, field in fields if not field.description]
    unread = [f"{section}.{name}" for section, name, _ in fields if not re.search(rf"\.{name}\b", text)]
    assert ["TrainConfig.preset"] == unread  # a record of where the keys came from


def test_the_constraints_name_no_registry() -> None:
    """Versions only: where packages come from is the machine's business."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all("==" in line and "://" not in line and not line.startswith("-") for line in pins)


def test_every_dependency_is_pinned() -> None:
    """Each direct dependency has its line in the constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    pinned = {
        line.partition("==")[0].strip().lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    names = {one.partition(">")[0].partition("[")[0].strip().lower() for one in wanted} - {"pictor"}
    assert names - pinned == set()
