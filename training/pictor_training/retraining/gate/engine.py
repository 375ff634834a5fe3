"""A version's model.onnx, asked as the embedded backend asks it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state

from pictor_contract import ArtifactError, ImageContract
from pictor_contract.artifact import ONNX_DIGEST_KEY, ONNX_FILE
from pictor_contract.signature import IMAGES, SCORES

BATCH = 64
"""Pictures in one call while thousands are scored."""

# ONNX Runtime's errors have no common class but Exception; these are all it can raise.
_ENGINE_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(
        one
        for one in vars(onnxruntime_pybind11_state).values()
        if isinstance(one, type) and issubclass(one, Exception)
    ),
)


class Engine:
    """The loaded model of one version's folder. `threads` 0: as many as there are cores."""

    def __init__(self, folder: Path, contract: ImageContract, threads: int = 0) -> None:
        """Load it.

        Raises:
            ArtifactError: it cannot be loaded, or was exported with another contract.
        """
        self._file = folder / ONNX_FILE
        self._contract = contract
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(self._file), options, providers=["CPUExecutionProvider"]
            )
        except _ENGINE_ERRORS as error:
            raise ArtifactError(f"{self._file} cannot be loaded: {error}") from error
        stated = self._session.get_modelmeta().custom_metadata_map.get(ONNX_DIGEST_KEY)
        if stated != contract.digest():
            raise ArtifactError(
                f"{self._file} was exported with the contract {stated}; the folder has {contract.digest()}."
            )

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Answer one batch: scores [n, labels].

        Raises:
            ArtifactError: the model breaks, or answers no probabilities in the contract's shape.
        """
        try:
            (answer,) = self._session.run([SCORES], {IMAGES: pictures})
        except _ENGINE_ERRORS as error:
            raise ArtifactError(f"{self._file} breaks on {len(pictures)} pictures: {error}") from error
        scores = np.asarray(answer, np.float64)
        if scores.shape != (len(pictures), len(self._contract.labels)):
            raise ArtifactError(f"{self._file} answers scores of shape {scores.shape}.")
        if not ((scores >= 0) & (scores <= 1 + np.finfo(np.float32).eps)).all():  # also refuses NaN
            raise ArtifactError(f"{self._file} answers scores that are no probabilities.")
        return np.minimum(scores, 1.0)

    def score_all(self, pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Answer all of them in batches; one batch is in memory at a time.

        Raises:
            ArtifactError: as for one batch.
        """
        answers = [self(batch) for batch in _batches(pictures)]
        return np.concatenate(answers) if answers else np.zeros((0, len(self._contract.labels)))


def _batches(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    batch: list[NDArray[np.uint8]] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
