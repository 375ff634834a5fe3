"""One Predict: the real server's checks, in its order and with its texts."""

from collections.abc import Sequence
from typing import Any

import grpc

from tfs.apis import predict_pb2
from tfs.batching import Arrays, Batcher
from tfs.faults import GARBAGE, HALF, Clock, Faults, spoil_outputs
from tfs.library import Library
from tfs.models import Model, Refused, Signature, without_variables
from tfs.tensors import MalformedTensor, dtype_name, dtype_of, from_array, to_array

DEFAULT_SIGNATURE = "serving_default"


class Predictor:
    """Answers Predict from a library. `as_content`: scores as bytes, which the real server does by a flag."""

    def __init__(
        self, library: Library, faults: Faults, batcher: Batcher | None, *, as_content: bool
    ) -> None:
        self._library = library
        self._faults = faults
        self._batcher = batcher
        self._as_content = as_content

    def predict(self, request: Any, clock: Clock) -> bytes:
        """Return the answer.

        Raises:
            Refused: with the real server's code and text.
        """
        version, model = self._library.find(request.model_spec)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = model.signatures.get(name)
        if signature is None:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        inputs = _inputs(request, signature)
        outputs = _outputs(request.output_filter, signature)
        _check_types(inputs, signature)
        key = (request.model_spec.name, version.number, name, tuple(outputs))
        how = self._faults.spoilt(version.number)
        if how == HALF and name == DEFAULT_SIGNATURE:
            raise without_variables()
        answers = self._run(key, model, name, inputs, outputs, clock)
        if how == "garbage":
            return GARBAGE
        spoil_outputs(how, answers)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.signature_name = name
        response.model_spec.version.value = version.number
        for alias, array in answers.items():
            response.outputs[alias].CopyFrom(from_array(array, as_content=self._as_content))
        return bytes(response.SerializeToString())

    def _run(
        self,
        key: tuple[Any, ...],
        model: Model,
        name: str,
        inputs: Arrays,
        outputs: Sequence[str],
        clock: Clock,
    ) -> Arrays:
        def work(merged: Arrays, latest: Clock) -> Arrays:
            rows = next((array.shape[0] for array in merged.values() if array.ndim), 0)
            with self._faults.running(rows, latest.pause):
                return model.run(name, merged, outputs)

        if self._batcher is None:
            return work(inputs, clock)
        return self._batcher.run(key, inputs, clock, work)


def _inputs(request: Any, signature: Signature) -> Arrays:
    sent, wanted = sorted(request.inputs), sorted(signature.inputs)
    if len(sent) != len(wanted):
        extra, missing = sorted(set(sent) - set(wanted)), sorted(set(wanted) - set(sent))
        raise _invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({_set(sent)}) != "
            f"len({_set(wanted)}). Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
        )
    for alias in wanted:
        if alias not in sent:
            raise _invalid(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].feed}) not found in "
                "request and no default value provided. Inputs expected to be in the request "
                f"{_set(sent)}, or default input alias set: "
            )
    arrays = {}
    for alias in wanted:
        try:
            arrays[alias] = to_array(request.inputs[alias])
        except MalformedTensor as error:
            raise _invalid(f"tensor parsing error: {alias}") from error
    return arrays


def _outputs(wanted: Sequence[str], signature: Signature) -> tuple[str, ...]:
    for position, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise _invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{_set(signature.outputs)}."
            )
        if alias in wanted[:position]:
            raise _invalid(f"duplicate output tensor alias: {alias}")
    return tuple(wanted) or signature.outputs


def _check_types(inputs: Arrays, signature: Signature) -> None:
    for position, (alias, array) in enumerate(inputs.items()):
        wanted, sent = signature.inputs[alias].dtype, dtype_of(array)
        if sent != wanted:
            raise _invalid(
                f"Expects arg[{position}] to be {dtype_name(wanted)} but {dtype_name(sent)} is provided"
            )


def _set(names: Sequence[str]) -> str:
    return "{" + ",".join(names) + "}"


def _invalid(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, text)
