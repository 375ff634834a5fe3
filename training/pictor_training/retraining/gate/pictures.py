"""The challenger's held-out pictures: their pixels for any input, and the files they came from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pictor_contract import PictureInput, PictureRefused, decode_picture
from pictor_training.data.contents import LIMITS, Refusal, read_file
from pictor_training.data.threads import in_order

if TYPE_CHECKING:
    from pictor_training.data.prepare import PreparedData

PictureFile = Callable[[int], Path]
"""The file that holds the picture of a row of the prepared data."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The test side of `data`, in the order of `data.test`; `input` is what `data.pictures` were made for."""

    data: "PreparedData"
    input: PictureInput
    file_of: PictureFile

    def __len__(self) -> int:
        return len(self.data.test)

    @property
    def contents(self) -> list[str]:
        """The sha256 (hex) of each picture's file."""
        return [self.data.contents[row] for row in self.data.test.tolist()]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which labels each picture has, [n, labels]."""
        return np.asarray(self.data.targets[self.data.test] > 0)

    def read(self, place: int) -> bytes | None:
        """Return the file of picture number `place`; None if it is gone or another by now."""
        row = int(self.data.test[place])
        content = read_file(self.file_of(row))
        if isinstance(content, Refusal) or sha256(content).hexdigest() != self.data.contents[row]:
            return None
        return content

    def pixels(self, wanted: PictureInput) -> Iterator[Pixels | None]:
        """Yield each picture as `wanted` asks for it; None where its file cannot be decoded any more.

        What training decoded is taken where that is the same.
        """
        if wanted == self.input:
            yield from (self.data.pictures[row] for row in self.data.test.tolist())
            return

        def decoded(place: int) -> Pixels | None:
            content = self.read(place)
            try:
                return None if content is None else decode_picture(content, wanted, LIMITS).pixels
            except PictureRefused:
                return None

        yield from in_order(decoded, range(len(self)))
