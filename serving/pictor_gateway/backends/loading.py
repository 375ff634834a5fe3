"""Load one published version, and believe it only after it has answered as it did in training."""

from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import numpy as np

from pictor_contract import ArtifactError, ImageContract, decode, is_model_name
from pictor_contract.artifact import ONNX_FILE, read_contract, verify_manifest
from pictor_contract.signature import TOLERANCE
from pictor_gateway.backends.session import OnnxSession
from pictor_gateway.errors import InferenceFailed


def load_version(store: Path, name: str, version: int) -> tuple[ImageContract, OnnxSession]:
    """Return a version that is whole, fits its contract and answers its golden example as recorded.

    Raises:
        ContractError: any of this does not hold; the message says what.
    """
    if not is_model_name(name):
        raise ArtifactError(f"The folder's name {name!r} cannot be a model's: it would not be safe in a URL.")
    folder = store / name / str(version)
    verify_manifest(folder)
    contract = read_contract(folder)
    session = OnnxSession(folder / ONNX_FILE)
    session.check(contract)
    _check_golden(contract, session)
    return contract, session


def _check_golden(contract: ImageContract, session: OnnxSession) -> None:
    golden = contract.golden
    if golden is None:
        raise ArtifactError(
            "The contract has no golden example, so nobody can tell whether the model is right."
        )
    pixels = decode(b64decode(golden.picture_base64), contract)
    if sha256(pixels.tobytes()).hexdigest() != golden.pixels_sha256:
        raise ArtifactError(
            "The golden example decodes to other pixels here than where the model was trained."
        )
    try:
        scores = session.run(pixels[np.newaxis])[0]
    except InferenceFailed as error:
        raise ArtifactError(f"The model breaks on its golden example: {error.__cause__}") from error
    recorded = np.asarray(golden.scores, dtype=np.float32)
    if scores.shape != recorded.shape:
        raise ArtifactError(f"The golden example has {recorded.size} scores; the model gives {scores.size}.")
    difference = float(np.abs(scores - recorded).max())
    if not difference <= TOLERANCE:  # a NaN is refused as well
        raise ArtifactError(
            f"The golden example's scores differ by {difference:g} from those recorded in training; "
            f"at most {TOLERANCE:g} is accepted."
        )
