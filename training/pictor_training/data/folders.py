"""Class folders: `DIR/<class>/**` or `DIR/{train,val,test}/<class>/**`.

Every regular file below a class folder counts as a picture: its content decides, never its suffix. Links are
followed, loops are not.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pictor_training.data.example import SIDES, Example, Listing, Side, Skipped, clean_name, is_regular
from pictor_training.errors import DataError

EXPECTED: Final = (
    "Expected one folder for each class, DIR/<class>/<pictures>, "
    "or the same below DIR/train, DIR/val and DIR/test."
)

_SIDE_NAMES: Final[Mapping[str, Side]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

_LITTER: Final = frozenset({"__macosx", "desktop.ini", "thumbs.db"})
"""What operating systems leave behind, in lower case; hidden names (`.DS_Store`) come on top."""


@dataclass(slots=True)
class _Tally:
    """What is counted on the way; becomes `Skipped`."""

    hidden: int = 0
    special: int = 0
    outside: int = 0
    empty_classes: list[str] = field(default_factory=list)


def list_folders(root: Path) -> Listing:
    """Find every picture file below `root`, in the order of their paths.

    Raises:
        DataError: `root` is no readable folder, or its layout is none of the two.

    """
    try:
        return _list(root)
    except OSError as error:  # no permission, a name too long, a failing disk
        raise DataError(f"{error.filename or root} cannot be read ({error.strerror}).") from error


def _list(root: Path) -> Listing:
    _check_root(root)
    tally = _Tally()
    below = _folders(root, tally)
    if not below:
        raise DataError(f"{root} holds {_files(tally.outside)} and no class folder. {EXPECTED}")
    sides = _side_folders(below)
    if sides is None:
        examples = list(_classes(below, None, {_identity(root)}, tally))
    else:
        examples = []
        for side, folder in sides.items():
            classes = _folders(folder, tally)
            if not classes:
                raise DataError(f"{folder} holds no class folder, so its pictures have no labels. {EXPECTED}")
            examples += _classes(classes, side, {_identity(root), _identity(folder)}, tally)
    skipped = Skipped(tally.hidden, tally.special, tally.outside, tuple(sorted(set(tally.empty_classes))))
    return Listing(root, tuple(examples), skipped)


def _check_root(root: Path) -> None:
    if not root.exists():
        raise DataError(f"There is no folder {root}. {EXPECTED}")
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder. {EXPECTED}")


def _side_folders(below: list[Path]) -> dict[Side, Path] | None:
    """Return the folder of each side, or None where the folders are classes."""
    named = {folder: _SIDE_NAMES.get(folder.name.lower()) for folder in below}
    if "train" not in named.values():
        if len(below) > 1 and None not in named.values():
            names = ", ".join(folder.name for folder in below)
            raise DataError(f"{below[0].parent} holds {names}, but no train folder. {EXPECTED}")
        return None
    if None in named.values():
        _refuse_mixture(named)
        return None
    sides: dict[Side, Path] = {}
    for folder, side in named.items():
        if side is not None and sides.setdefault(side, folder) != folder:
            raise DataError(f"{sides[side]} and {folder} both mean {side!r}; join them or rename one.")
    return {side: sides[side] for side in SIDES if side in sides}


def _refuse_mixture(named: Mapping[Path, Side | None]) -> None:
    """Refuse train/ beside folders of other names, unless it holds files itself, as a class "train" would."""
    train = next(folder for folder, side in named.items() if side == "train")
    if _folders(train, _Tally()) and not any(map(is_regular, train.iterdir())):
        others = ", ".join(folder.name for folder, side in named.items() if side is None)
        raise DataError(
            f"{train.parent} holds {train.name}/ with folders in it, and beside it: {others}. "
            f"Are these classes or sides of a split? Move away what is neither. {EXPECTED}"
        )


def _classes(
    folders: list[Path], side: Side | None, seen: set[tuple[int, int]], tally: _Tally
) -> Iterator[Example]:
    for folder in folders:
        label = clean_name(folder.name)
        found = False
        for path in _walk(folder, set(seen), tally):
            found = True
            yield Example(path, (label,), side)
        if not found:
            tally.empty_classes.append(label)


def _walk(top: Path, seen: set[tuple[int, int]], tally: _Tally) -> Iterator[Path]:
    """Yield the regular files below `top`; each real folder once, so that a loop of links ends."""
    for here, below, names in os.walk(top, followlinks=True, onerror=_raise):
        identity = _identity(Path(here))
        if identity in seen:
            below.clear()
            continue
        seen.add(identity)
        tally.hidden += sum(map(_is_litter, below))
        below[:] = sorted(name for name in below if not _is_litter(name))
        for name in sorted(names):
            path = Path(here, name)
            if _is_litter(name):
                tally.hidden += 1
            elif is_regular(path):
                yield path
            else:  # a pipe would hang whoever opens it, a broken link has nothing to open
                tally.special += 1


def _folders(folder: Path, tally: _Tally) -> list[Path]:
    """Return the visible folders right below `folder`, and count what else lies there."""
    entries = sorted(folder.iterdir())
    tally.hidden += sum(_is_litter(entry.name) for entry in entries)
    visible = [entry for entry in entries if not _is_litter(entry.name)]
    folders = [entry for entry in visible if entry.is_dir()]
    tally.outside += len(visible) - len(folders)
    return folders


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _raise(error: OSError) -> None:
    raise error  # left alone, os.walk would pass over the folder in silence


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
