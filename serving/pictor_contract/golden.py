"""The golden example: whoever serves a model proves by it that the model answers as it did in training."""

from base64 import b64decode
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ArtifactError, GoldenExample, ImageContract, decode
from pictor_contract.signature import TOLERANCE


def golden_pixels(contract: ImageContract) -> NDArray[np.uint8]:
    """Return the golden example as a batch of one, uint8 [1, H, W, C].

    Raises:
        ContractError: there is none, it is no picture, or it decodes to other pixels than in training.
    """
    golden = _golden_of(contract)
    pixels = decode(b64decode(golden.picture_base64), contract)
    if sha256(pixels.tobytes()).hexdigest() != golden.pixels_sha256:
        raise ArtifactError(
            "The golden example decodes to other pixels here than where the model was trained."
        )
    return pixels[np.newaxis]


def check_golden(contract: ImageContract, scores: NDArray[np.float32]) -> None:
    """Compare `scores` [1, labels], the model's answer to `golden_pixels`, with those recorded in training.

    Raises:
        ArtifactError: they differ by more than machines and forms of a model do.
    """
    recorded = np.asarray(_golden_of(contract).scores, dtype=np.float32)[np.newaxis]
    if scores.shape != recorded.shape:
        raise ArtifactError(f"The golden example has {recorded.size} scores; the model gives {scores.size}.")
    difference = float(np.abs(scores - recorded).max())
    if not difference <= TOLERANCE:  # a NaN is refused as well
        raise ArtifactError(
            f"The golden example's scores differ by {difference:g} from those recorded in training; "
            f"at most {TOLERANCE:g} is accepted."
        )


def _golden_of(contract: ImageContract) -> GoldenExample:
    if contract.golden is None:
        raise ArtifactError(
            "The contract has no golden example, so nobody can tell whether the model is right."
        )
    return contract.golden
