"""A CSV manifest: `path,label[,split][,sha256]`, several labels of one picture as `a|b`."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, get_args

from pictor_training.data.example import Example, Listing, Side, clean_name, is_regular
from pictor_training.errors import DataError

SEPARATOR: Final = "|"


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    path: str
    labels: tuple[str, ...]
    split: str
    content: str | None


def list_manifest(manifest: Path, data: Path) -> Listing:
    """Read the pictures that `manifest` names.

    All its paths are relative to one folder: `data` if the first row's picture is found there, else the
    manifest's own. An empty label means "none of the labels", which only a multi-label head can learn.

    Raises:
        DataError: no such file, not CSV, a column or picture missing, a path that leaves the folder; with the
        line.

    """
    rows = list(_read(manifest))
    if not rows:
        raise DataError(f"{manifest} names no picture: it has a header at most.")
    root = data if is_regular(data / rows[0].path) else manifest.parent
    divided = bool(rows[0].split)
    lines: dict[PurePosixPath, int] = {}
    examples = []
    for row in rows:
        where = f"{manifest}, line {row.line}"
        if bool(row.split) != divided:
            raise DataError(
                f"{where}: some rows have a split and others have none. Fill all of them, or none."
            )
        relative = _relative(row.path, where)
        if lines.setdefault(relative, row.line) != row.line:
            raise DataError(
                f"{where}: {row.path!r} already stands in line {lines[relative]}. "
                f"Several labels of one picture go into one cell: a{SEPARATOR}b."
            )
        if not is_regular(root / relative):
            raise DataError(f"{where}: there is no file {row.path!r} in {root}.")
        examples.append(Example(root / relative, row.labels, _side(row.split, where), row.content))
    return Listing(root, tuple(examples))


def _read(manifest: Path) -> Iterator[_Row]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:  # -sig: Excel writes a byte order mark
            reader = csv.DictReader(file, strict=True)
            columns = [name.strip().lower() for name in reader.fieldnames or ()]
            _check_columns(columns, manifest)
            reader.fieldnames = columns
            for cells in reader:
                yield _row(cells, reader.line_num, manifest)
    except OSError as error:
        raise DataError(f"The manifest {manifest} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"The manifest {manifest} is not UTF-8 ({error}). Save it as CSV in UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"The manifest {manifest} is not CSV: {error}.") from error


def _check_columns(columns: list[str], manifest: Path) -> None:
    for name in ("path", "label"):
        if columns.count(name) != 1:
            found = ", ".join(columns) or "none"
            raise DataError(
                f"{manifest}, line 1: the column {name!r} must stand there once; found: {found}. "
                "Expected the header path,label or path,label,split, separated by commas."
            )


def _row(cells: dict[str | None, str | list[str] | None], line: int, manifest: Path) -> _Row:
    texts = {name: cell.strip() for name, cell in cells.items() if isinstance(cell, str)}
    if len(texts) != len(cells):  # a cell too many comes as a list, a missing one as None
        raise DataError(f"{manifest}, line {line}: the number of cells differs from the header's.")
    if not texts["path"]:
        raise DataError(f"{manifest}, line {line}: the path is empty.")
    parts = [clean_name(part.strip()) for part in texts["label"].split(SEPARATOR)]
    if parts != [""] and "" in parts:
        raise DataError(f"{manifest}, line {line}: an empty label in {texts['label']!r}.")
    labels = tuple(sorted({part for part in parts if part}))
    return _Row(line, texts["path"], labels, texts.get("split", ""), texts.get("sha256") or None)


def _relative(text: str, where: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{where}: {text!r} leaves the folder. Paths must be relative and without '..'.")
    return path


def _side(text: str, where: str) -> Side | None:
    if not text:
        return None
    for side in get_args(Side):
        if text == side:
            return side  # type: ignore[no-any-return]  # get_args is untyped
    raise DataError(f"{where}: unknown split {text!r}. Expected train, val or test.")
