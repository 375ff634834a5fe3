"""Parity: every engine that may answer for the model gives the same answer, and always the same one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_contract.signature import TOLERANCE
from pictor_training.errors import ParityError

Pictures = NDArray[np.uint8]
Scores = NDArray[np.float64]
Form = Callable[[Pictures], Scores]

_SEED = 1


@dataclass(frozen=True, slots=True)
class ParityReport:
    """Which forms were compared on which batches, and the largest difference of each pair."""

    tolerance: float
    batch_sizes: tuple[int, ...]
    differences: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the run's report."""
        return asdict(self)


def probe_batches(golden_pixels: Pictures, max_batch: int) -> list[Pictures]:
    """Make batches of 1, 3 and `max_batch`: the golden picture, then noise of random contrast."""
    generator = np.random.default_rng(_SEED)
    batches = []
    for size in sorted({1, 3, max_batch}):
        others = [_random_picture(generator, golden_pixels.shape) for _ in range(size - 1)]
        batches.append(np.stack([golden_pixels, *others]))
    return batches


def answers_of(name: str, form: Form, batches: Sequence[Pictures], contract: ImageContract) -> list[Scores]:
    """Ask `form` for every batch.

    Raises:
        ParityError: the answers are no scores, or depend on more than the picture (chance, its neighbours).

    """
    answers = [form(batch) for batch in batches]
    for batch, scores in zip(batches, answers, strict=True):
        _check_scores(name, scores, len(batch), contract)
        if not np.array_equal(scores, form(batch)):
            raise ParityError(
                f"{name} answers the same pictures differently when asked twice: a layer is random outside "
                "training. Take augmentation out of the network, and call no layer with training=True."
            )
    spread = max(_difference([scores[:1]], answers[0:1]) for scores in answers)
    if spread > TOLERANCE:
        raise ParityError(
            f"{name} gives a picture other scores (by {spread:.1e}) when others share its batch: a layer "
            "looks across the batch outside training. Call no layer with training=True."
        )
    return answers


def compare(answers: Mapping[str, Sequence[Scores]]) -> ParityReport:
    """Compare every two forms.

    Raises:
        ParityError: two of them differ by more than the tolerance.

    """
    differences = {
        f"{first} = {second}": _difference(answers[first], answers[second])
        for first, second in combinations(answers, 2)
    }
    if apart := [f"{pair} by {largest:.1e}" for pair, largest in differences.items() if largest > TOLERANCE]:
        raise ParityError(
            f"Scores that must be equal within {TOLERANCE:.0e} differ: {', '.join(apart)}. Nothing was "
            "exported; the run's model files are as they were."
        )
    sizes = tuple(len(scores) for scores in next(iter(answers.values())))
    return ParityReport(tolerance=TOLERANCE, batch_sizes=sizes, differences=differences)


def _difference(first: Sequence[Scores], second: Sequence[Scores]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(first, second, strict=True))


def _check_scores(name: str, scores: Scores, count: int, contract: ImageContract) -> None:
    wanted = (count, len(contract.labels))
    if scores.shape != wanted:
        raise ParityError(
            f"{name} answers scores of shape {scores.shape}; by the contract it must be {wanted}."
        )
    if not np.isfinite(scores).all():
        raise ParityError(
            f"{name} answers scores that are no finite numbers. The training diverged; train again."
        )
    if contract.head != "multilabel" and not np.allclose(scores.sum(axis=1), 1, atol=TOLERANCE, rtol=0):
        raise ParityError(f"{name} answers scores that do not add up to 1, as a {contract.head} head's must.")


def _random_picture(generator: np.random.Generator, shape: tuple[int, ...]) -> Pictures:
    darkest, brightest = sorted(generator.integers(0, 256, size=2))
    return generator.integers(darkest, brightest, size=shape, dtype=np.uint8, endpoint=True)
