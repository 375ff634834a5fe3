"""Our Dockerfiles and what may enter their builds, as Python objects. No engine is needed."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
GATEWAY: Final = ROOT / "serving" / "Dockerfile"
TRAINING: Final = ROOT / "training" / "Dockerfile"
IGNORED: Final = ROOT / ".dockerignore"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word in capitals, and all that follows it, on one line."""

    word: str
    text: str


def instructions(dockerfile: Path) -> list[Instruction]:
    """Return what a builder reads: comments dropped, continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(word.upper(), text) for word, text in parts]


def stages(dockerfile: Path) -> list[list[Instruction]]:
    """Return the instructions of each stage, its FROM first; those before the first FROM are left out."""
    found: list[list[Instruction]] = []
    for instruction in instructions(dockerfile):
        if instruction.word == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def texts(instructions_: Iterable[Instruction], word: str) -> list[str]:
    """Return what follows `word` wherever it stands."""
    return [one.text for one in instructions_ if one.word == word]


def commands(instructions_: Iterable[Instruction]) -> list[str]:
    """Return each command that is run, where they are chained with && and ||, without braces around it."""
    chained = [part for text in texts(instructions_, "RUN") for part in re.split(r"&&|\|\|", text)]
    return [part.strip().removeprefix("{ ").removesuffix("; }") for part in chained]


def arguments(instructions_: Iterable[Instruction]) -> dict[str, str]:
    """Return the build arguments and their defaults."""
    pairs = [text.partition("=") for text in texts(instructions_, "ARG")]
    return {name: default.strip('"') for name, _, default in pairs}


def variables(instructions_: Iterable[Instruction]) -> dict[str, str]:
    """Return what ENV sets."""
    return {
        name: value.strip('"')
        for text in texts(instructions_, "ENV")
        for name, value in (pair.split("=", 1) for pair in text.split())
    }


def context(root: Path, ignore_file: Path) -> Iterator[str]:
    """Yield the files below `root` that a builder is sent, by the rules that we use of a .dockerignore.

    A later rule overrules an earlier one; one that matches a folder holds for all in it; `**/` stands for any
    folder, or none.
    """
    rules = [
        (not line.startswith("!"), line.removeprefix("!"))
        for line in ignore_file.read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not _left_out(name, rules):
            yield name


def _left_out(name: str, rules: Iterable[tuple[bool, str]]) -> bool:
    out = False
    for leaves_out, pattern in rules:
        if any(_matches(part, pattern) for part in _with_parents(name)):
            out = leaves_out
    return out


def _with_parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _matches(name: str, pattern: str) -> bool:
    """Match a path from its root on; unlike in a shell, `*` never stands for a slash."""
    if pattern.startswith("**/"):
        names = name.split("/")
        return any(_matches("/".join(names[at:]), pattern.removeprefix("**/")) for at in range(len(names)))
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
