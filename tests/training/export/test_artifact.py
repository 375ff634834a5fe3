"""The exported folder, read back with its readers' own tools."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from pictor_contract import Head, ImageContract, decode
from pictor_contract.artifact import (
    MANIFEST_FILE,
    ONNX_DIGEST_KEY,
    ONNX_FILE,
    WARMUP_FILE,
    read_contract,
    verify_manifest,
)
from pictor_contract.signature import TOLERANCE
from pictor_training.errors import ConfigError
from pictor_training.export.artifact import weights_digest
from pictor_training.export.forms import OnnxForm, ServedForm, graph_refuses
from pictor_training.export.golden import make_golden
from pictor_training.export.parity import ParityReport
from pictor_training.export.warmup import read_warmup, write_warmup
from pictor_training.network.saved import load_model_file

MakeModel = Callable[[Head], tuple[keras.Model, ImageContract]]

# Old kernels that TensorFlow Serving 2.17 has; a new name here must be looked up there first.
KNOWN_OPS = (
    "AddV2 AssignVariableOp BiasAdd Cast ConcatV2 Const Conv2D DisableCopyOnRead EnsureShape Fill "
    "Identity MatMul MaxPool MergeV2Checkpoints Mul Neg NoOp Pack PartitionedCall Placeholder ReadVariableOp "
    "RealDiv Relu Reshape RestoreV2 Rsqrt SaveV2 Select Shape ShardedFilename Sigmoid "
    "Softmax StatefulPartitionedCall StaticRegexFullMatch StridedSlice StringJoin Sub VarHandleOp"
)


def saved_model(folder: Path) -> SavedModel:
    """Parse saved_model.pb."""
    return SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def test_the_folder_holds_every_file_and_nothing_else(artifact: Path, contract: ImageContract) -> None:
    """The SavedModel as TensorFlow writes it, and our four files beside it."""
    files = {path.relative_to(artifact).as_posix() for path in artifact.rglob("*") if path.is_file()}

    assert files == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/contract.json",
        "assets.extra/model.onnx",
        "assets.extra/tf_serving_warmup_requests",
        "assets.extra/MANIFEST.sha256",
    }
    assert [path.name for path in artifact.parent.iterdir() if path.name.startswith(".")] == []


def test_the_manifest_satisfies_sha256sum(artifact: Path) -> None:
    """Anyone can check a version without our code."""
    verify_manifest(artifact)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", MANIFEST_FILE],
        cwd=artifact,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK\n") == 7


def test_the_contract_is_complete_and_the_same_everywhere(
    artifact: Path, h5: Path, model: keras.Model, contract: ImageContract
) -> None:
    """Returned, in the file, by the graph and named by the ONNX file: one contract."""
    marks = {mark.key: mark.value for mark in onnx.load(artifact / ONNX_FILE).metadata_props}
    with ServedForm(artifact) as served:
        told = served.contract(3)

    assert read_contract(artifact) == contract
    assert told == [contract.to_json().encode()] * 3
    assert marks[ONNX_DIGEST_KEY] == contract.digest()
    assert contract.weights_sha256 == weights_digest(model)
    assert contract.weights_sha256 == weights_digest(load_model_file(h5))


def test_the_golden_example_is_answered_as_recorded(artifact: Path, contract: ImageContract) -> None:
    """Decoding the recorded picture and asking the embedded engine gives the recorded scores."""
    assert contract.golden is not None
    picture = make_golden(contract.input)
    scores = OnnxForm(artifact / ONNX_FILE)(decode(picture, contract)[np.newaxis])

    assert scores[0] == pytest.approx(contract.golden.scores, abs=TOLERANCE)
    assert scores.sum() == pytest.approx(1)


def test_the_parity_report_covers_every_pair_and_batch(exported: tuple[ImageContract, ParityReport]) -> None:
    """Four forms make six pairs, all within the tolerance; the reloaded file is the model itself."""
    _, report = exported

    assert report.batch_sizes == (1, 3, 5)
    assert len(report.differences) == 6
    assert report.differences["keras = reloaded .h5"] == 0
    assert 0 < max(report.differences.values()) < TOLERANCE


def test_the_signatures_are_named_and_typed_for_their_clients(
    artifact: Path, contract: ImageContract
) -> None:
    """uint8 pictures in, float32 scores out; int32 probe in, text out; the batch is free."""
    (meta,) = saved_model(artifact).meta_graphs
    found = {
        name: [
            (key, tf.as_dtype(tensor.dtype).name, [dim.size for dim in tensor.tensor_shape.dim])
            for key, tensor in [*signature.inputs.items(), *signature.outputs.items()]
        ]
        for name, signature in meta.signature_def.items()
        if name != "__saved_model_init_op"
    }

    assert found == {
        "serving_default": [("images", "uint8", [-1, 16, 24, 3]), ("scores", "float32", [-1, 3])],
        "contract": [("probe", "int32", [-1]), ("contract", "string", [-1])],
    }


def test_the_graph_holds_only_kernels_known_to_tensorflow_serving(artifact: Path) -> None:
    """No operation of a newer TensorFlow, and none that draws random numbers."""
    (meta,) = saved_model(artifact).meta_graphs
    nodes = [*meta.graph_def.node]
    for function in meta.graph_def.library.function:
        nodes.extend(function.node_def)

    assert set() == {node.op for node in nodes} - set(KNOWN_OPS.split())


def test_every_weight_is_written_once(artifact: Path, model: keras.Model) -> None:
    """`ExportArchive.track()` would double the variables."""
    weights = sum(weight.numpy().nbytes for weight in model.weights)
    written = (artifact / "variables/variables.data-00000-of-00001").stat().st_size

    assert weights < written < weights + 2_000  # what TensorFlow writes beside them, for its own bookkeeping


def test_the_graph_refuses_other_shapes_by_itself(artifact: Path) -> None:
    """A wrong rank, size or channel count is an error of the request, not the end of the server."""
    good = np.zeros((2, 16, 24, 3), np.uint8)

    assert not graph_refuses(artifact, good)
    for bad in (good[0], good[np.newaxis], good[:, :8], good[..., :1], np.zeros((), np.uint8), good.ravel()):
        assert graph_refuses(artifact, bad)


def test_the_onnx_file_names_its_batch_dimension(artifact: Path) -> None:
    """Any ONNX server can batch it: input and output share one free dimension."""
    session = onnxruntime.InferenceSession(artifact / ONNX_FILE)
    (images,), (scores,) = session.get_inputs(), session.get_outputs()

    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["batch", 16, 24, 3])
    assert (scores.name, scores.type, scores.shape) == ("scores", "tensor(float)", ["batch", 3])


def test_the_warm_up_holds_one_request_per_batch_size(artifact: Path) -> None:
    """Each names the model and the signature, and carries uint8 pictures of the right shape."""
    requests = [record.predict_log.request for record in read_warmup(artifact / WARMUP_FILE)]
    tensors = [request.inputs["images"] for request in requests]

    assert {request.model_spec.name for request in requests} == {"pets"}
    assert {request.model_spec.signature_name for request in requests} == {"serving_default"}
    assert [tf.make_ndarray(tensor).shape for tensor in tensors] == [(size, 16, 24, 3) for size in (1, 2, 5)]
    assert all(len(tensor.tensor_content) == np.prod(tf.make_ndarray(tensor).shape) for tensor in tensors)
    with ServedForm(artifact) as served:
        assert all(len(served(tf.make_ndarray(tensor))) for tensor in tensors)


def test_more_warm_up_records_than_the_server_takes_are_refused(
    tmp_path: Path, make_model: MakeModel
) -> None:
    """TensorFlow Serving would refuse the version; the message says which key to shorten."""
    _, contract = make_model("multiclass")
    crowded = ImageContract(
        name="pets",
        labels=contract.labels,
        head="multiclass",
        input=contract.input,
        allowed_batch_sizes=tuple(range(1, 1002)),
    )

    with pytest.raises(ConfigError, match=r"export\.batch_sizes has 1001 sizes"):
        write_warmup(np.zeros((16, 24, 3), np.uint8), crowded, tmp_path / "warmup")
