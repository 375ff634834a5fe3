"""The two gRPC services, on the servicers that tensorflow-serving-api generates."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final

import grpc
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tfs.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tfs.faults import GARBAGE, Call, Clock, Faults
from tfs.library import Library, State, Version
from tfs.models import Refused
from tfs.predict import DEFAULT_SIGNATURE, Predictor

_MOST_TEXT: Final = 1024
_MOST_CALLS: Final = 10_000

Work = Callable[[Any, Clock], bytes]


class Services:
    """What the server answers, how many calls at once, and what it was asked."""

    def __init__(
        self,
        library: Library,
        faults: Faults,
        predictor: Predictor,
        reload: Callable[[Any], None],
        most_at_once: int | None,
    ) -> None:
        self.calls: deque[Call] = deque(maxlen=_MOST_CALLS)
        self.codes: Counter[tuple[str, str, str]] = Counter()
        """Answers by method, model and code."""
        self.interceptors = (_Bytes(),)
        self._library = library
        self._faults = faults
        self._predictor = predictor
        self._reload = reload
        self._most_at_once = most_at_once
        self._at_once = 0
        self._lock = Lock()

    def add_to(self, server: grpc.Server) -> None:
        """Let the server answer the methods."""
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Predictions(self), server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(self), server)

    def predict(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer a Predict."""
        request = _parse(predict_pb2.PredictRequest, body)
        return self._answer("Predict", request, len(body), context, self._predictor.predict)

    def status(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer a GetModelStatus."""

        def work(request: Any, clock: Clock) -> bytes:
            if self._faults.spoilt() == "garbage_status":
                return GARBAGE
            return _status_bytes(self._library.status(request.model_spec))

        request = _parse(get_model_status_pb2.GetModelStatusRequest, body)
        return self._answer("GetModelStatus", request, len(body), context, work)

    def reload(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer a HandleReloadConfigRequest."""

        def work(request: Any, clock: Clock) -> bytes:
            self._reload(request.config)
            return bytes(model_management_pb2.ReloadConfigResponse().SerializeToString())

        request = _parse(model_management_pb2.ReloadConfigRequest, body)
        return self._answer("HandleReloadConfigRequest", request, len(body), context, work)

    def _answer(
        self, method: str, request: Any, size: int, context: grpc.ServicerContext, work: Work
    ) -> bytes:
        clock = Clock(context)
        call = _call(method, request, size, clock, context)
        self.calls.append(call)
        self._count(1)
        try:
            self._admit()
            self._faults.strike(method, clock)
            answer = work(_readable(request), clock)
        except Refused as refused:
            self._count_code(call, refused.code)
            context.abort(refused.code, _cut(refused.text))
        finally:
            self._count(-1)
        self._count_code(call, grpc.StatusCode.OK)
        return answer

    def _admit(self) -> None:
        if self._most_at_once is not None and self._at_once > self._most_at_once:
            raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")

    def _count(self, change: int) -> None:
        with self._lock:
            self._at_once += change

    def _count_code(self, call: Call, code: grpc.StatusCode) -> None:
        with self._lock:
            self.codes[call.method, call.model, code.name] += 1


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc] - has no types
    def __init__(self, services: Services) -> None:
        self.Predict = services.predict


class _Models(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc] - has no types
    def __init__(self, services: Services) -> None:
        self.GetModelStatus = services.status
        self.HandleReloadConfigRequest = services.reload


class _Bytes(grpc.ServerInterceptor):
    """Hands bytes through, so that what is no message can be received and sent."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Take the reader and the writer of messages away."""
        handler = continuation(handler_call_details)
        return handler and handler._replace(request_deserializer=None, response_serializer=None)


def _parse(form: Any, body: bytes) -> Any:
    try:
        return form.FromString(body)
    except DecodeError:
        return None


def _readable(request: Any) -> Any:
    if request is None:
        raise Refused(grpc.StatusCode.INTERNAL, "")
    return request


def _call(method: str, request: Any, size: int, clock: Clock, context: grpc.ServicerContext) -> Call:
    metadata = {key: str(value) for key, value in context.invocation_metadata()}
    if request is None or method == "HandleReloadConfigRequest":
        config = "" if request is None else text_format.MessageToString(request.config, as_utf8=True)
        return Call(
            method, size_bytes=size, time_remaining_s=clock.remaining_s, metadata=metadata, config=config
        )
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    tensors = request.inputs.values() if method == "Predict" else ()
    return Call(
        method,
        model=spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
        signature=(spec.signature_name or DEFAULT_SIGNATURE) if method == "Predict" else "",
        pictures=next((one.tensor_shape.dim[0].size for one in tensors if one.tensor_shape.dim), 0),
        size_bytes=size,
        time_remaining_s=clock.remaining_s,
        metadata=metadata,
    )


def _status_bytes(versions: Sequence[Version]) -> bytes:
    response = get_model_status_pb2.GetModelStatusResponse()
    swaps = []
    for version in versions:
        one = response.model_version_status.add(version=version.number, state=State.Value(version.state))
        one.status.error_code = version.code
        try:
            one.status.error_message = version.message.decode()
        except UnicodeDecodeError:
            # The library refuses what the server sends, bytes that are no text: they are put in afterwards.
            placeholder = chr(len(swaps) + 1) * len(version.message)
            one.status.error_message = placeholder
            swaps.append((placeholder.encode(), version.message))
    body = bytes(response.SerializeToString())
    for placeholder, message in swaps:
        body = body.replace(placeholder, message)
    return body


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}...TRUNCATED"
