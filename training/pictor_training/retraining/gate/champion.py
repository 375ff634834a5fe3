"""Who stands there now: a published version, and what it says about the challenger's pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ArtifactError, ImageContract
from pictor_contract.artifact import verify_manifest
from pictor_training.retraining.gate.pictures import HeldOut, Pixels


@dataclass(frozen=True, slots=True)
class Champion:
    """A version that the challenger must not be worse than; `folder` is a local copy of it.

    `contract` is None where it cannot be read. `trained_on` are the sha256 (hex) of the pictures that it was
    trained on or tuned by, `held_out` those of the pictures that were kept for its own test; None where
    nobody wrote them down.
    """

    version: int
    contract: ImageContract | None
    folder: Path
    trained_on: frozenset[str] | None
    held_out: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Answers:
    """A champion's scores [n, its labels] for every held-out picture; NaN where `readable` is False."""

    champion: Champion
    contract: ImageContract
    scores: NDArray[np.float64]
    readable: NDArray[np.bool_]


def ask_champion(champion: Champion, held_out: HeldOut) -> Answers:
    """Let `champion` answer the challenger's held-out pictures, each decoded as its own contract says.

    Raises:
        ArtifactError: its files are damaged, or its model does not answer.
    """
    from pictor_training.retraining.gate.engine import Engine  # noqa: PLC0415 - most nights need no engine

    contract = champion.contract
    if contract is None:
        raise ArtifactError(f"{champion.folder}: the contract cannot be read.")
    verify_manifest(champion.folder)
    readable = np.ones(len(held_out), np.bool_)

    def decoded() -> Iterator[Pixels]:
        for place, pixels in enumerate(held_out.pixels(contract.input)):
            readable[place] = pixels is not None
            if pixels is not None:
                yield pixels

    answered = Engine(champion.folder, contract).score_all(decoded())
    scores = np.full((len(held_out), len(contract.labels)), np.nan)
    scores[readable] = answered
    return Answers(champion, contract, scores, readable)
