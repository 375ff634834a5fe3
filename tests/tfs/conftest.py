"""The client that tensorflow-serving-api generates."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import text_format

from tfs.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tfs.tensors import from_array

PATIENCE_S = 30.0

# Otherwise a new channel waits as long as the last one to the address would have before it tried again.
_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Client:
    """Asks one server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(self, request: Any, timeout: float | None = PATIENCE_S, **options: Any) -> Any:
        """Ask for a Predict and wait."""
        return self._predictions.Predict(request, timeout=timeout, **options)

    def later(self, request: Any, timeout: float | None = PATIENCE_S) -> Any:
        """Ask for a Predict and return what will have the answer."""
        return self._predictions.Predict.future(request, timeout=timeout)

    def status(self, name: str, **spec: Any) -> Any:
        """Ask for the versions' states."""
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill(request.model_spec, name, **spec)
        return self._models.GetModelStatus(request, timeout=PATIENCE_S)

    def reload(self, config: str, timeout: float = PATIENCE_S) -> Any:
        """Ask for a configuration, given as text."""
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(config, request.config)
        return self._models.HandleReloadConfigRequest(request, timeout=timeout)


def make_request(
    name: str = "colours",
    inputs: dict[str, Any] | None = None,
    *,
    signature: str = "",
    outputs: tuple[str, ...] = (),
    **spec: Any,
) -> Any:
    """Make a Predict; by default for one black picture. Inputs are arrays or finished tensors."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    _fill(request.model_spec, name, **spec)
    request.model_spec.signature_name = signature
    if inputs is None:
        inputs = {"images": np.zeros((1, 8, 8, 3), np.uint8)}
    for alias, value in inputs.items():
        tensor = from_array(value, as_content=True) if isinstance(value, np.ndarray) else value
        request.inputs[alias].CopyFrom(tensor)
    return request


def _fill(model_spec: Any, name: str, version: int | None = None, label: str | None = None) -> None:
    model_spec.name = name
    if version is not None:
        model_spec.version.value = version
    if label is not None:
        model_spec.version_label = label


@pytest.fixture
def ask() -> Iterator[Callable[..., Client]]:
    """Open clients: `ask(address)`."""
    with ExitStack() as open_channels:

        def connect(address: str, credentials: grpc.ChannelCredentials | None = None) -> Client:
            channel = (
                grpc.insecure_channel(address, _OPTIONS)
                if credentials is None
                else grpc.secure_channel(address, credentials, _OPTIONS)
            )
            return Client(open_channels.enter_context(channel))

        yield connect


@pytest.fixture(name="request_for")
def _request_for() -> Callable[..., Any]:
    """Make Predict requests."""
    return make_request
