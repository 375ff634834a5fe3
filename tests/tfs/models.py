"""What the stand-in serves: anything with signatures that runs; here the real SavedModel."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc

from tfs.tensors import Array, shape_text


class Refused(Exception):
    """The server's own error: a gRPC code and a text."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a signature: the tensor it feeds, its type's number, and its shape (None: any size)."""

    feed: str
    dtype: int
    shape: tuple[int | None, ...]

    def check(self, array: Array) -> None:
        """Refuse another rank or size as `tf.ensure_shape` in the graph does."""
        fits = len(array.shape) == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, array.shape, strict=True)
        )
        if not fits:
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Shape of tensor {self.feed} {shape_text(array.shape)} is not compatible with expected "
                f"shape {shape_text(self.shape)}.\n\t [[{{{{node EnsureShape}}}}]]",
            )


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature takes and gives."""

    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]


class Model(Protocol):
    """One version's graph."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Its signatures by name."""

    def run(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Run the signature; may raise `Refused`."""


class SavedModel:
    """A SavedModel in a session over the graph tagged "serve", as TensorFlow Serving runs it."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf  # noqa: PLC0415 - 7 s, only for whoever serves a real model

        self._tf: Any = tf
        defined = _definitions(folder)
        self.signatures = {name: _signature(one) for name, one in defined.items()}
        graph = tf.Graph()
        with graph.as_default():
            # Python's session would refuse wrong shapes before the graph sees them; the server's does not.
            self._feeds = {
                tensor.name: tf.compat.v1.placeholder(int(tensor.dtype))
                for one in defined.values()
                for tensor in one.inputs.values()
            }
        self._session = tf.compat.v1.Session(graph=graph)
        tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder), input_map=dict(self._feeds))
        self._fetches = {
            (name, alias): tensor.name
            for name, one in defined.items()
            for alias, tensor in one.outputs.items()
        }

    def run(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Run it in the session; TensorFlow's own errors are the server's."""
        specs = self.signatures[signature].inputs
        feed = {self._feeds[specs[alias].feed]: array for alias, array in inputs.items()}
        fetches = {alias: self._fetches[signature, alias] for alias in outputs}
        try:
            answers: dict[str, Array] = self._session.run(fetches, feed)
        except self._tf.errors.OpError as error:
            text = error.message.removeprefix("Graph execution error:\n\n")  # said by Python alone
            raise Refused(_code_of(error.error_code), text) from error
        return answers

    def close(self) -> None:
        """Give its memory back."""
        self._session.close()


class HalfLoaded:
    """A version that became available before its variables were copied: all that needs them fails."""

    def __init__(self, model: Model, without_variables: Sequence[str] = ("contract",)) -> None:
        self._model = model
        self._without_variables = without_variables

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Its signatures, as if it were whole."""
        return self._model.signatures

    def run(self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Run what is a constant; refuse the rest."""
        if signature in self._without_variables:
            return self._model.run(signature, inputs, outputs)
        raise without_variables()


def without_variables() -> Refused:
    """Return what a version says whose variables were not there when it was loaded."""
    return Refused(
        grpc.StatusCode.FAILED_PRECONDITION,
        "Could not find variable sequential/conv2d_1/bias_1. This could mean that the variable has been "
        "deleted. In TF1, it can also mean the variable is uninitialized. Debug info: container="
        "localhost, status error message=Container localhost does not exist. (Could not find resource: "
        "localhost/sequential/conv2d_1/bias_1)\n\t [[{{node serving_default/ReadVariableOp}}]]",
    )


_loading = threading.Lock()
_loaded: dict[Path, SavedModel] = {}


def saved_model(folder: Path) -> SavedModel:
    """Load the SavedModel in `folder`, once in a process."""
    with _loading:
        if folder not in _loaded:
            _loaded[folder] = SavedModel(folder)
        return _loaded[folder]


def _code_of(number: int) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == number)


def _definitions(folder: Path) -> dict[str, Any]:
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 - as above

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = (one for one in saved.meta_graphs if "serve" in one.meta_info_def.tags)
    return {name: one for name, one in graph.signature_def.items() if not name.startswith("__")}


def _signature(defined: Any) -> Signature:
    inputs = {
        alias: Input(tensor.name, tensor.dtype, _shape(tensor.tensor_shape))
        for alias, tensor in defined.inputs.items()
    }
    return Signature(inputs, tuple(sorted(defined.outputs)))


def _shape(shape: Any) -> tuple[int | None, ...]:
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
