"""Load one published version, and believe it only after it has answered as it did in training."""

from pathlib import Path

from pictor_contract import ArtifactError, ImageContract, is_model_name
from pictor_contract.artifact import ONNX_FILE, read_contract, verify_manifest
from pictor_contract.golden import check_golden, golden_pixels
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
    pixels = golden_pixels(contract)
    try:
        scores = session.run(pixels)
    except InferenceFailed as error:
        raise ArtifactError(f"The model breaks on its golden example: {error.__cause__}") from error
    check_golden(contract, scores)
