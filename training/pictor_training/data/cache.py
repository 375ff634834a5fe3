"""Decoded pictures on disk: each content is decoded once for each input, and mapped, never loaded.

One entry holds one set of contents decoded for one input::

    <input>-<set>.json            what each row is, what was refused, and the digests of the files below
    <input>-<set>.pictures        uint8 rows as the model takes them, in the order of the contents' sha256
    <input>-<set>.thumbnails      the same rows as small RGB, for finding near duplicates
    <input>-<set>.lock            one training builds, another that wants the same waits

An entry is verified whenever it is opened and rebuilt when damaged. Pictures that an older entry for the same
input holds are copied from it. Only `remove_older` removes any; the folder may be deleted whenever no
training runs.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Final

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from pictor_contract import PictureInput, PictureRefused, decode_picture
from pictor_training.data.contents import LIMITS, Refusal, Report, read_file
from pictor_training.data.threads import in_order
from pictor_training.errors import DataError, TrainingError

THUMBNAIL: Final = PictureInput(height=32, width=32)
"""The same for every run, so that groups of near duplicates, and with them the split, do not hang on the
input.
"""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One readable picture as its file has it."""

    content: str
    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Row i of `pictures` and `thumbnails` (read-only maps) is `facts[i]`; rows rise with their sha256."""

    facts: tuple[PictureFacts, ...]
    refused: dict[str, Refusal]
    pictures: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Entry:
    """The files of one entry."""

    folder: Path
    stem: str

    def __getitem__(self, suffix: str) -> Path:
        return self.folder / f"{self.stem}.{suffix}"


@dataclass(frozen=True, slots=True)
class _Row:
    facts: PictureFacts
    picture: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]


def decode_all(
    files: Mapping[str, Path], picture_input: PictureInput, folder: Path, report: Report
) -> Decoded:
    """Decode every content in `files` (sha256 to a file that holds it), or open what was decoded before.

    Raises:
        DataError: none of them is a readable picture, or a file changed meanwhile.
        TrainingError: the cache cannot be written: disk full, no permission.

    """
    contents = sorted(files)
    prefix = sha256(
        repr((_VERSION, picture_input.digest(), THUMBNAIL.digest(), LIMITS)).encode()
    ).hexdigest()[:16]
    entry = _Entry(folder, f"{prefix}-{sha256(''.join(contents).encode()).hexdigest()[:32]}")
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(entry["lock"]):
            decoded = _open(entry, picture_input)
            if decoded is None:
                older = _best_older(folder, prefix, set(contents), picture_input)
                _build(entry, files, picture_input, older, report)
                decoded = _open(entry, picture_input)
    if decoded is None:
        raise TrainingError(f"The cache {folder} does not keep what is written to it. Use another folder.")
    return decoded


def remove_older(folder: Path, keep: int) -> None:
    """Remove all but the `keep` entries written last; who has one open keeps what it mapped.

    A clock that was wrong costs decoding again, no more.
    """
    written = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for index in written[keep:]:
        entry = _Entry(folder, index.stem)
        try:
            with FileLock(entry["lock"], blocking=False):
                for suffix in ("json", "pictures", "thumbnails"):  # without its index it is no entry
                    entry[suffix].unlink(missing_ok=True)
        except (Timeout, OSError):  # somebody is at work on it, or the disk is: the next time will do
            continue


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"The picture cache {folder} cannot be written ({error.strerror}). "
            "Free some space or use another folder."
        ) from error


def _open(entry: _Entry, picture_input: PictureInput) -> Decoded | None:
    """Map the entry's files, or return None where there is none or one of them is damaged."""
    try:
        index = json.loads(entry["json"].read_bytes())
        facts = tuple(PictureFacts(*row) for row in index["rows"])
        refused = {content: Refusal(code, message) for content, code, message in index["refused"]}
        for suffix in ("pictures", "thumbnails"):
            with entry[suffix].open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != index[suffix]:
                    return None
        pictures = _map(entry["pictures"], len(facts), picture_input)
        thumbnails = _map(entry["thumbnails"], len(facts), THUMBNAIL)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # no JSON, no such key, no such shape: an index that is none
        return None
    return Decoded(facts, refused, pictures, thumbnails)


def _map(path: Path, rows: int, picture_input: PictureInput) -> NDArray[np.uint8]:
    return np.asarray(np.memmap(path, dtype=np.uint8, mode="r", shape=(rows, *picture_input.shape)))


def _best_older(folder: Path, prefix: str, contents: set[str], picture_input: PictureInput) -> Decoded | None:
    """Return the entry for the same input that holds most of `contents`, all but those that were added."""
    best, most = None, 0
    for path in folder.glob(f"{prefix}-*.json"):
        try:
            held = len(contents & {row[0] for row in json.loads(path.read_bytes())["rows"]})
        except (OSError, ValueError, KeyError, TypeError):  # damaged, or gone: its owner rebuilds it
            continue
        if held > most:
            best, most = path, held
    return None if best is None else _open(_Entry(folder, best.stem), picture_input)


def _build(
    entry: _Entry,
    files: Mapping[str, Path],
    picture_input: PictureInput,
    older: Decoded | None,
    report: Report,
) -> None:
    """Write the entry; the index comes last and says that the rest is whole.

    Rows are written, not mapped for writing: a full disk is then an error and not a crash of the process.
    """
    rows: list[PictureFacts] = []
    refused: list[tuple[str, str, str]] = []
    known = {} if older is None else {facts.content: row for row, facts in enumerate(older.facts)}

    def row_of(content: str) -> _Row | Refusal:
        if older is not None and content in known:
            row = known[content]
            return _Row(older.facts[row], older.pictures[row], older.thumbnails[row])
        return _decode(content, files[content], picture_input)

    contents = sorted(files)
    with _replacing(entry["pictures"]) as pictures, _replacing(entry["thumbnails"]) as thumbnails:
        for done, (content, row) in enumerate(
            zip(contents, in_order(row_of, contents), strict=True), start=1
        ):
            if isinstance(row, Refusal):
                refused.append((content, row.code, row.message))
            else:
                rows.append(row.facts)
                pictures.write(row.picture)
                thumbnails.write(row.thumbnail)
            report("decoding pictures", done, len(contents))
        if not rows:
            raise DataError(
                f"None of {len(files)} files is a readable picture; the first says: {refused[0][2]}"
            )
    index = {
        "rows": [(row.content, row.format, row.width, row.height) for row in rows],
        "refused": refused,
        "pictures": pictures.digest.hexdigest(),
        "thumbnails": thumbnails.digest.hexdigest(),
    }
    with _replacing(entry["json"]) as file:
        file.write(json.dumps(index).encode())


def _decode(content: str, path: Path, picture_input: PictureInput) -> _Row | Refusal:
    data = read_file(path)
    if isinstance(data, Refusal) or sha256(data).hexdigest() != content:
        raise DataError(f"{path} changed while it was being read. Train when nobody writes to the pictures.")
    try:
        picture = decode_picture(data, picture_input, LIMITS)
        thumbnail = decode_picture(data, THUMBNAIL, LIMITS)
    except PictureRefused as error:
        return Refusal(error.code, str(error))
    facts = PictureFacts(content, picture.format, picture.width, picture.height)
    return _Row(facts, picture.pixels, thumbnail.pixels)


class _Digesting:
    """A file that is written once, from its start, with the digest of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def write(self, data: bytes | NDArray[np.uint8]) -> None:
        chunk = data if isinstance(data, bytes) else data.tobytes()
        self.digest.update(chunk)
        self._file.write(chunk)


@contextmanager
def _replacing(path: Path) -> Iterator[_Digesting]:
    """Write beside `path` and take its place only when all is on disk; a failure gives the space back.

    The lock makes the name ours, so what a killed training left is overwritten.
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("wb") as file:
            yield _Digesting(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
