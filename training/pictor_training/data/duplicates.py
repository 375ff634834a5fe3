"""Near duplicates: the same picture saved again, scaled, lightly cropped or changed in brightness.

Candidates are pairs whose perceptual hashes (64 bits of the lowest frequencies) differ in few bits. The hash
alone is no proof: it keeps the rough layout only, and of 10,000 handwritten digits (28 x 28) it takes 42 %
for copies of others at 4 bits. So the correlation of the two thumbnails (32 x 32), which brightness and
contrast hardly change, must confirm a candidate:

- In RGB it must reach 0.85. Brain scans that were scaled and cropped by a few pixels reach 0.88 to 0.99 with
  their originals, those of different patients 0.78 at most.
- Where one of the two is stored with less than 64 pixels on the shorter side, it must reach 0.99 in grey too:
  the thumbnail then is the whole picture. Of 1,797 digits (8 x 8) the most alike from different hands reach
  0.989. Photographs of 32 x 32 saved again as JPEG are found in 89 % of cases at quality 85, in 63 % at 75.

A uniform picture has no layout to compare; it pairs only with one whose thumbnail is equal byte for byte.
Mirrored and rotated copies are not found, nor those of which more than a narrow edge was cut. Glyphs and line
drawings that are stored large look alike by these rules and form groups that are too wide: the audit shows
them, and `near_duplicate_bits: 0` narrows them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictor_training.data.contents import Report

SMALL_SIDE: Final = 64
"""Pixels; below it a picture has hardly more detail than its thumbnail."""

LEAST_RGB: Final = 0.85
LEAST_GREY_IF_SMALL: Final = 0.99

_GREY: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R 601-2, as in the decoder. JPEG keeps it better than colour."""

_UNIFORM_LEVELS: Final = 2.0
"""Standard deviation, of 255, below which what varies is noise."""

_BLOCK: Final = 4_000_000
"""Pairs of hashes compared at once: 36 MB."""

_PAIRS: Final = 2048
"""Pairs of thumbnails compared at once: 50 MB."""


def group_near_duplicates(
    thumbnails: NDArray[np.uint8], shorter_sides: Sequence[int], bits: int, report: Report
) -> NDArray[np.int64]:
    """Return for each row the smallest row of its group; a row without near duplicates is a group of its own.

    Pairs chain: if a is near b and b near c, all three are one group.
    """
    groups = _Groups(len(thumbnails))
    flat = thumbnails.reshape(len(thumbnails), -1)
    _, first, same = np.unique(
        flat.view(np.dtype((np.void, flat.shape[1]))), return_index=True, return_inverse=True
    )
    for row, number in enumerate(same.ravel()):
        groups.join(row, int(first[number]))
    rows = np.sort(first)  # one of each: a thousand black pictures would be half a million pairs
    hashes = _hash(thumbnails, rows, report)
    small = np.asarray(shorter_sides) < SMALL_SIDE
    for left, right in _candidates(hashes, bits, report):
        a, b = rows[left], rows[right]
        apart = groups.roots[a] != groups.roots[b]
        a, b = a[apart], b[apart]
        near = _confirm(thumbnails[a], thumbnails[b], small[a] | small[b])
        for one, other in zip(a[near].tolist(), b[near].tolist(), strict=True):
            groups.join(one, other)
        groups.settle()
    return groups.settle()


class _Groups:
    """Union-find; the root of a group is its smallest row."""

    def __init__(self, size: int) -> None:
        self.roots: NDArray[np.int64] = np.arange(size)

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self.roots[high] = low

    def settle(self) -> NDArray[np.int64]:
        """Let every row point at its root."""
        while (self.roots != self.roots[self.roots]).any():
            self.roots = self.roots[self.roots]
        return self.roots

    def _root(self, row: int) -> int:
        while (above := int(self.roots[row])) != row:
            row = above
        return row


def _hash(thumbnails: NDArray[np.uint8], rows: NDArray[np.int64], report: Report) -> NDArray[np.uint64]:
    hashes = np.empty(len(rows), dtype=np.uint64)
    for done, row in enumerate(rows, start=1):
        bits = imagehash.phash(Image.fromarray(thumbnails[row])).hash
        hashes[done - 1] = np.packbits(bits).view(np.uint64)[0]
        report("hashing pictures", done, len(rows))
    return hashes


def _candidates(
    hashes: NDArray[np.uint64], bits: int, report: Report
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield every pair of positions whose hashes differ in at most `bits` bits, in blocks."""
    count = len(hashes)
    step = max(1, _BLOCK // count)
    for start in range(0, count, step):
        block = hashes[start : start + step]
        left, right = np.nonzero(np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= bits)
        ahead = left < right
        left, right = left[ahead] + start, right[ahead] + start
        for piece in range(0, len(left), _PAIRS):
            yield left[piece : piece + _PAIRS], right[piece : piece + _PAIRS]
        report("comparing pictures", min(start + step, count), count)


def _confirm(one: NDArray[np.uint8], other: NDArray[np.uint8], small: NDArray[np.bool_]) -> NDArray[np.bool_]:
    alike = ~small
    alike[small] = _correlation(one[small] @ _GREY, other[small] @ _GREY) >= LEAST_GREY_IF_SMALL
    alike[alike] = _correlation(one[alike], other[alike]) >= LEAST_RGB  # last: it is the dearest
    return alike


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float32]:
    """Return the correlation of each pair, over all but the first axis; 0 where one of the two is uniform."""
    shape = len(one), math.prod(one.shape[1:])
    left, right = (pixels.reshape(shape).astype(np.float32) for pixels in (one, other))
    left -= left.mean(axis=1, keepdims=True)
    right -= right.mean(axis=1, keepdims=True)
    spread = left.std(axis=1), right.std(axis=1)
    shared: NDArray[np.float32] = np.einsum("ij,ij->i", left, right) / np.float32(left.shape[1])
    correlation = np.zeros_like(shared)
    varied = np.minimum(*spread) >= _UNIFORM_LEVELS
    np.divide(shared, spread[0] * spread[1], out=correlation, where=varied)
    return correlation
