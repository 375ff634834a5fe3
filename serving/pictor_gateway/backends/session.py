"""One ONNX file behind ONNX Runtime."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state

from pictor_contract import ArtifactError, ImageContract
from pictor_contract.artifact import ONNX_DIGEST_KEY
from pictor_contract.signature import IMAGES, SCORES
from pictor_gateway.errors import InferenceFailed

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


class OnnxSession:
    """A loaded model. `run` may be called from several threads at once; each uses one core."""

    def __init__(self, file: Path) -> None:
        """Load `file`.

        Raises:
            ArtifactError: the engine cannot load it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several single-threaded calls side by side beat one that is spread
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        # The arena makes one picture 10 to 20 % cheaper, but keeps what the largest batch took, for good:
        # 450 MB instead of 150 MB with a 68 MB network at 16 pictures. So it is shrunk after each batch.
        self._after_batch = onnxruntime.RunOptions()
        self._after_batch.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except _ENGINE_ERRORS as error:
            raise ArtifactError(f"{file} cannot be loaded: {error}") from error

    def check(self, contract: ImageContract) -> None:
        """Compare the model with `contract`.

        Raises:
            ArtifactError: it was exported with another contract, or takes or gives something else.
        """
        stated = self._session.get_modelmeta().custom_metadata_map.get(ONNX_DIGEST_KEY)
        if stated != contract.digest():
            raise ArtifactError(
                f"The ONNX file was exported with the contract {stated}; the folder has {contract.digest()}."
            )
        _check_ends(self._session.get_inputs(), IMAGES, "tensor(uint8)", contract.input.shape)
        _check_ends(self._session.get_outputs(), SCORES, "tensor(float)", (len(contract.labels),))

    def run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores of `pictures`.

        Raises:
            InferenceFailed: the engine gave up.
        """
        options = self._after_batch if len(pictures) > 1 else None
        try:
            (scores,) = self._session.run([SCORES], {IMAGES: pictures}, options)
        except _ENGINE_ERRORS as error:
            raise InferenceFailed("The model broke on this batch.") from error
        return cast("NDArray[np.float32]", scores)


def _check_ends(found: list[Any], name: str, type_: str, item_shape: tuple[int, ...]) -> None:
    """Refuse anything but one tensor of any number of items; the engine gives a free size as text or None."""
    described = ", ".join(f"{one.name} {one.type} {one.shape}" for one in found)
    wanted = f"{name} {type_} [any, {', '.join(map(str, item_shape))}]"
    fits = (
        len(found) == 1
        and (found[0].name, found[0].type) == (name, type_)
        and len(found[0].shape) == 1 + len(item_shape)
        and not isinstance(found[0].shape[0], int)
        and all(
            not isinstance(size, int) or size == asked
            for size, asked in zip(found[0].shape[1:], item_shape, strict=True)
        )
    )
    if not fits:
        raise ArtifactError(f"The ONNX file has {described}; the contract asks for {wanted}.")
