"""What `:predict` and `:classify` answer."""

from collections.abc import Sequence

import numpy as np
import orjson
from starlette.responses import Response

from pictor_contract import ImageContract
from pictor_gateway.dialects.tensorflow_serving.request import Layout, Probes
from pictor_gateway.inference.pipeline import Recognised

_ANSWER_KEYS: dict[Layout, str] = {"instances": "predictions", "inputs": "outputs"}


def scores_answer(layout: Layout, recognised: Sequence[Recognised]) -> Response:
    """Return each picture's scores: the only output, so not named, in no more digits than a float32 has."""
    return _json({_ANSWER_KEYS[layout]: np.stack([one.scores for one in recognised])})


def contract_answer(probes: Probes, contract: ImageContract) -> Response:
    """Return the contract's JSON, as often as was asked."""
    return _json({_ANSWER_KEYS[probes.layout]: [contract.to_json()] * probes.count})


def classes_answer(contract: ImageContract, recognised: Sequence[Recognised]) -> Response:
    """Return every label with its score for each picture, in the model's order."""
    return _json({"results": [list(zip(contract.labels, one.scores, strict=True)) for one in recognised]})


def _json(document: dict[str, object]) -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
