"""Which content each file has, without reading again what has not been touched since.

A file counts as untouched while its path, size, modification time, change time and inode are the same, to the
nanosecond; programs can set the first four, but not the change time. Nothing is trusted for training itself:
there every file is read, and one whose content is not the collected one is left out.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pictor_training.data.contents import Refusal, Report, hash_contents
from pictor_training.data.example import Example
from pictor_training.durable import write_text_durably

_SETTLED_S: Final = 2.0
"""A file changed less long ago may change once more within one tick of its file system's clock."""

Facts = tuple[int, int, int, int]


class Digests:
    """Digests by path, remembered in `file`; a damaged file only costs reading all again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _load(file)
        self._used: dict[str, tuple[Facts, str]] = {}

    def contents(self, examples: Sequence[Example], report: Report) -> list[str | Refusal]:
        """Return each example's sha256 (hex), or why it has none, in their order."""
        facts = [_facts(example.path) for example in examples]
        known = [self._recall(example.path, one) for example, one in zip(examples, facts, strict=True)]
        unknown = [position for position, content in enumerate(known) if content is None]
        hashed = hash_contents([examples[position] for position in unknown], report)
        found: list[str | Refusal] = [content or "" for content in known]
        for position, content in zip(unknown, hashed, strict=True):
            found[position] = self._settled(examples[position].path, facts[position], content)
        return found

    def save(self) -> None:
        """Remember what was asked for since this was opened, and forget the rest.

        Raises:
            TrainingError: the disk is full, or the folder cannot be written.
        """
        if self._used != self._known:
            data = {path: [*facts, content] for path, (facts, content) in self._used.items()}
            write_text_durably(self._file, json.dumps(data))

    def _recall(self, path: Path, facts: Facts | None) -> str | None:
        known = self._known.get(str(path))
        if known is None or facts is None or known[0] != facts:
            return None
        self._used[str(path)] = known
        return known[1]

    def _settled(self, path: Path, before: Facts | None, content: str | Refusal) -> str | Refusal:
        if isinstance(content, Refusal) or before is None:
            return content
        if _facts(path) != before:
            return Refusal("file_changed", "The file changed while it was being read.")
        if abs(time.time() - before[2] / 1e9) > _SETTLED_S:
            self._used[str(path)] = before, content
        return content


def _facts(path: Path) -> Facts | None:
    try:
        stat = path.stat()
    except OSError:  # whoever reads it says why
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _load(file: Path) -> dict[str, tuple[Facts, str]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {
            path: ((size, mtime, ctime, inode), text)
            for path, (size, mtime, ctime, inode, text) in data.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
