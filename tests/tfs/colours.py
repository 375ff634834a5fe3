"""The model "colours" in NumPy, behind the signatures of an exported one."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from colours import colour_scores, make_contract
from pictor_contract import ImageContract
from pictor_contract.signature import CONTRACT, IMAGES, PROBE, SCORES
from tfs.apis import types_pb2
from tfs.models import Input, Signature
from tfs.tensors import Array

Change = Callable[[ImageContract], ImageContract]


class ColoursModel:
    """The model in NumPy, behind the signatures of an exported one."""

    def __init__(self, name: str, sharpness: float, change: Change = lambda contract: contract) -> None:
        self.contract = change(make_contract(name, sharpness))
        self.told = self.contract.to_json()
        self._sharpness = sharpness
        images = Input(f"serving_default_{IMAGES}:0", types_pb2.DT_UINT8, (None, *self.contract.input.shape))
        probe = Input(f"{CONTRACT}_{PROBE}:0", types_pb2.DT_INT32, (None,))
        self.signatures: Mapping[str, Signature] = {
            "serving_default": Signature({IMAGES: images}, (SCORES,)),
            CONTRACT: Signature({PROBE: probe}, (CONTRACT,)),
        }

    def run(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Answer as the exported graph does."""
        for alias, spec in self.signatures[signature].inputs.items():
            spec.check(inputs[alias])
        if signature == CONTRACT:
            return {CONTRACT: np.full(len(inputs[PROBE]), self.told.encode(), object)}
        return {SCORES: colour_scores(inputs[IMAGES], self._sharpness).astype(np.float32)}
