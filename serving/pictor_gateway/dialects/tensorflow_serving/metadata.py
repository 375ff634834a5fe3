"""What TensorFlow Serving tells of its models: the states of their versions, and their signatures."""

import json
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from pictor_contract.signature import CONTRACT, IMAGES, PROBE, SCORES
from pictor_gateway.backends.protocol import ServedVersion, VersionState, VersionStatus
from pictor_gateway.dialects.tensorflow_serving.request import METHOD_NAME, SERVING_DEFAULT

Json = dict[str, Any]

_STATES: dict[VersionState, str] = {
    "loading": "LOADING",
    "available": "AVAILABLE",
    "unloading": "UNLOADING",
    "ended": "END",
    "refused": "END",
}
_ANY = -1
"""The length of the batch."""


def status_answer(versions: Iterable[VersionStatus]) -> Response:
    """Return the state of each version; one that is refused has ended, for the reason it was refused for."""
    states = [
        {
            "version": str(one.version),
            "state": _STATES[one.state],
            "status": {
                "error_code": "FAILED_PRECONDITION" if one.reason else "OK",
                "error_message": one.reason,
            },
        }
        for one in versions
    ]
    return _json_text(_indented({"model_version_status": states}))


def metadata_answer(served: ServedVersion) -> Response:
    """Return both signatures, in the layout of the one that TensorFlow Serving glues together itself."""
    spec = {"name": served.name, "signature_name": "", "version": str(served.version)}
    signatures = {"signature_def": _signatures(served)}
    return _json_text(
        f'{{\n"model_spec":{_indented(spec)},\n"metadata": {{"signature_def": {_indented(signatures)}}}\n}}\n'
    )


def _signatures(served: ServedVersion) -> Json:
    contract = served.contract
    images = (_ANY, *contract.input.shape)
    scores = (_ANY, len(contract.labels))
    return {
        SERVING_DEFAULT: _signature(
            {IMAGES: _tensor("DT_UINT8", f"{SERVING_DEFAULT}_{IMAGES}:0", images)},
            {SCORES: _tensor("DT_FLOAT", "StatefulPartitionedCall:0", scores)},
        ),
        CONTRACT: _signature(
            {PROBE: _tensor("DT_INT32", f"{CONTRACT}_{PROBE}:0", (_ANY,))},
            {CONTRACT: _tensor("DT_STRING", "PartitionedCall:0", (_ANY,))},
        ),
    }


def _signature(inputs: Json, outputs: Json) -> Json:
    return {"inputs": inputs, "outputs": outputs, "method_name": METHOD_NAME, "defaults": {}}


def _tensor(dtype: str, name: str, shape: tuple[int, ...]) -> Json:
    sides = [{"size": str(side), "name": ""} for side in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": sides, "unknown_rank": False}, "name": name}


def _indented(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _json_text(text: str) -> Response:
    return Response(text, media_type="application/json")
