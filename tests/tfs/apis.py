"""TensorFlow's own message classes and servicers, as tensorflow-serving-api installs them.

Importing TensorFlow takes 7 s, and its messages import all of it by being inside it. They need nothing of it:
under an empty module of its name they load alone, in a quarter of a second. That module is taken away again,
so that the real one may be imported later.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

import grpc  # noqa: F401 - before TensorFlow, which brings parts of it along


@contextmanager
def _hollow_tensorflow() -> Iterator[None]:
    if "tensorflow" in sys.modules:
        yield
        return
    spec = find_spec("tensorflow")
    assert spec is not None
    hollow = ModuleType("tensorflow")
    hollow.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["tensorflow"] = hollow
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]:
            del sys.modules[name]


with _hollow_tensorflow():
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "TensorProto",
    "get_model_status_pb2",
    "model_management_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "types_pb2",
]
