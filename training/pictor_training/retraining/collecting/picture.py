"""One picture file as a source names it, and all of them together."""

from dataclasses import dataclass
from hashlib import sha256
from json import dumps
from pathlib import Path

from pictor_training.data.example import Side
from pictor_training.data.manifest import SEPARATOR

Key = tuple[str, str]
"""A picture under a label: the sha256 (hex) of its content, and its labels joined."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that could be read. `source` is the folder, manifest or place that names it."""

    path: Path
    content: str
    labels: tuple[str, ...]
    split: Side | None
    source: str

    @property
    def label(self) -> str:
        """Its labels, as a manifest's cell has them."""
        return SEPARATOR.join(self.labels)

    @property
    def key(self) -> Key:
        """What makes it known: content and label, wherever it lies."""
        return self.content, self.label


@dataclass(frozen=True, slots=True)
class Distrusted:
    """New pictures of one class and source whose labels the champion contradicts.

    `again`: an earlier champion did so already.
    """

    group: str
    label: str
    source: str
    agreed: int
    count: int
    expected: float
    chance: float
    again: bool

    def sentence(self) -> str:
        """Say why they are left out."""
        return (
            f"{self.count} pictures of {self.label!r} from {self.source} are left out: the champion agrees "
            f"with {self.agreed} of their labels, where {self.expected:.0%} would be usual."
        )


@dataclass(frozen=True, slots=True)
class Collection:
    """What a run may learn from. `fresh` of its pictures were not known before.

    `quarantined` are left out, all that ever were and still are; `distrusted` says why, for those judged now.
    """

    pictures: tuple[Picture, ...]
    fresh: int
    quarantined: tuple[Picture, ...]
    distrusted: tuple[Distrusted, ...]
    notes: tuple[str, ...]

    def fingerprint(self) -> str:
        """Digest of contents, labels and sides: equal for equal pictures, wherever they lie."""
        facts = sorted({(one.content, one.label, one.split or "") for one in self.pictures})
        return sha256(dumps(facts).encode()).hexdigest()
