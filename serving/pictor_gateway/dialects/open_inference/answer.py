"""What the addresses under `/v2` answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response

from pictor_contract.signature import IMAGES, SCORES
from pictor_gateway.backends.protocol import ModelStatus, ServedVersion, VersionStatus
from pictor_gateway.dialects.open_inference.request import JSON_LENGTH_HEADER, ScoresForm
from pictor_gateway.dialects.open_inference.tensors import FILES, LENGTH, PIXELS
from pictor_gateway.responses import ErrorForm

Json = dict[str, Any]

SERVER_NAME = "pictor"

EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository")
"""By the names under which Triton's clients look for them; of the repository only its index."""

_PLATFORMS = {"tensorflow_serving": "tensorflow_savedmodel", "embedded": "onnx_onnxv1"}
"""In the protocol's own words: project and format."""

_INDEX_STATES = {"available": "READY", "loading": "LOADING", "unloading": "UNLOADING"}

_OUR_STATUS_ALONE = {415: 400, 422: 400}
"""This protocol knows no finer word than "bad request" for a body or picture that cannot be read."""


OPEN_INFERENCE_FORM = ErrorForm(
    lambda problem, _: {"error": problem.detail},
    status=lambda problem: _OUR_STATUS_ALONE.get(problem.status, problem.status),
)
"""How every error under `/v2` is written."""


def server_answer(version: str) -> Json:
    """Return who answers, and what beyond the protocol it understands."""
    return {"name": SERVER_NAME, "version": version, "extensions": list(EXTENSIONS)}


def model_answer(served: ServedVersion, model: ModelStatus) -> Json:
    """Return what one version takes and gives, and which versions of its model can be asked."""
    contract = served.contract
    return {
        "name": served.name,
        "versions": [str(one.version) for one in model.available],
        "platform": _platform(served),
        "inputs": [{"name": IMAGES, "datatype": PIXELS, "shape": [-1, *contract.input.shape]}],
        "outputs": [{"name": SCORES, "datatype": "FP32", "shape": [-1, len(contract.labels)]}],
        "parameters": {
            "version": str(served.version),
            "digest": served.digest,
            "head": contract.head,
            "labels": list(contract.labels),
            "thresholds": list(contract.thresholds),
            "alternative_inputs": [{"name": IMAGES, "datatype": FILES, "shape": [-1]}],
        },
    }


def config_answer(served: ServedVersion, most_pictures: int) -> Json:
    """Return the part of Triton's model configuration that its clients read.

    The batch is theirs: the pictures in one request, not those in one call of the model.
    """
    contract = served.contract
    return {
        "name": served.name,
        "platform": _platform(served),
        "max_batch_size": most_pictures,
        "input": [{"name": IMAGES, "data_type": f"TYPE_{PIXELS}", "dims": list(contract.input.shape)}],
        "output": [{"name": SCORES, "data_type": "TYPE_FP32", "dims": [len(contract.labels)]}],
    }


def index_answer(models: Sequence[ModelStatus], *, ready_only: bool) -> list[Json]:
    """Return every version of every model with its state."""
    return [
        _index_entry(model.name, one)
        for model in models
        for one in model.versions
        if one.served is not None or not ready_only
    ]


def infer_answer(
    served: ServedVersion, rows: Sequence[NDArray[np.float32]], form: ScoresForm, request_id: str | None
) -> Response:
    """Return one row for each picture, in order: its scores, or its highest ones with their labels."""
    scores = np.stack(rows).astype("<f4", copy=False)
    output, data = _labelled(served, scores, form) if form.classes else _raw(scores, form)
    document: Json = {"model_name": served.name, "model_version": str(served.version)}
    if request_id is not None:
        document["id"] = request_id
    text = orjson.dumps({**document, "outputs": [output]}, option=orjson.OPT_SERIALIZE_NUMPY)
    if not form.binary:
        return Response(text, media_type="application/json")
    return Response(
        text + data,
        media_type="application/octet-stream",
        headers={JSON_LENGTH_HEADER: str(len(text))},
    )


def _raw(scores: NDArray[np.float32], form: ScoresForm) -> tuple[Json, bytes]:
    output: Json = {"name": SCORES, "datatype": "FP32", "shape": list(scores.shape)}
    if form.binary:
        return {**output, "parameters": {"binary_data_size": scores.nbytes}}, scores.tobytes()
    return {**output, "data": scores.ravel()}, b""


def _labelled(served: ServedVersion, scores: NDArray[np.float32], form: ScoresForm) -> tuple[Json, bytes]:
    labels = served.contract.labels
    best = np.argsort(-scores, axis=1, kind="stable")[:, : form.classes]
    texts = [
        f"{row[index]:f}:{index}:{labels[index]}"  # six digits, as Triton writes them
        for row, indices in zip(scores, best, strict=True)
        for index in indices
    ]
    output: Json = {"name": SCORES, "datatype": FILES, "shape": list(best.shape)}
    if not form.binary:
        return {**output, "data": texts}, b""
    data = b"".join(LENGTH.pack(len(one)) + one for one in (text.encode() for text in texts))
    return {**output, "parameters": {"binary_data_size": len(data)}}, data


def _index_entry(name: str, status: VersionStatus) -> Json:
    state = _INDEX_STATES.get(status.state, "UNAVAILABLE")
    return {"name": name, "version": str(status.version), "state": state, "reason": status.reason}


def _platform(served: ServedVersion) -> str:
    return _PLATFORMS.get(served.backend, served.backend)
