"""Our messages are TensorFlow's, byte for byte; theirs come from tensorflow-serving-api."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from pictor_tfs import messages
from pictor_tfs.wire import serving_pb2 as ours
from tfs.apis import (
    TensorProto,
    get_model_status_pb2,
    model_management_pb2,
    model_server_config_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    types_pb2,
)

SERVING = Path(messages.__file__).parents[1]
WIRE = "pictor_tfs/wire/serving"

PAIRS: dict[Any, Any] = {
    ours.TensorProto: TensorProto,
    ours.PredictRequest: predict_pb2.PredictRequest,
    ours.PredictResponse: predict_pb2.PredictResponse,
    ours.GetModelStatusRequest: get_model_status_pb2.GetModelStatusRequest,
    ours.GetModelStatusResponse: get_model_status_pb2.GetModelStatusResponse,
    ours.ModelVersionStatus: get_model_status_pb2.ModelVersionStatus,
    ours.ModelServerConfig: model_server_config_pb2.ModelServerConfig,
    ours.ReloadConfigRequest: model_management_pb2.ReloadConfigRequest,
    ours.ReloadConfigResponse: model_management_pb2.ReloadConfigResponse,
}
BYTES, STRING = FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING
INT32, ENUM = FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM
OTHER_TYPES = {
    "pictor.tensorflow_serving.StatusProto.error_message": (BYTES, STRING),
    "pictor.tensorflow_serving.StatusProto.error_code": (INT32, ENUM),
}
"""Where ours differs on purpose, with the same bytes: text that may be none, and a number without names."""

names = st.text(min_size=1, max_size=80)
versions = st.integers(1, 2**63 - 1)
shapes = st.tuples(*[st.integers(1, 4)] * 4)
states = st.sampled_from(ours.ModelVersionStatus.State.values())
floats = st.floats(width=32, allow_nan=False)


def walk(mine: Descriptor, other: Descriptor) -> Iterator[tuple[FieldDescriptor, FieldDescriptor]]:
    """Pair every field of `mine`, and of what it holds, with the one of the same name in `other`."""
    for name, field in mine.fields_by_name.items():
        twin = other.fields_by_name[name]
        yield field, twin
        if field.message_type is not None:
            yield from walk(field.message_type, twin.message_type)


@pytest.mark.parametrize("message", PAIRS, ids=lambda message: str(message.DESCRIPTOR.name))
def test_every_field_has_the_number_the_type_and_the_label_of_the_original(message: Any) -> None:
    """All the way down; two fields have another type of the same bytes."""
    for mine, other in walk(message.DESCRIPTOR, PAIRS[message].DESCRIPTOR):
        types = OTHER_TYPES.get(mine.full_name, (mine.type, mine.type))
        assert types == (mine.type, other.type), mine.full_name
        assert (mine.number, mine.is_repeated, mine.is_packed) == (
            other.number,
            other.is_repeated,
            other.is_packed,
        ), mine.full_name
        assert _oneof(mine) == _oneof(other)


def _oneof(field: FieldDescriptor) -> str | None:
    return field.containing_oneof.name if field.containing_oneof is not None else None


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (ours.DataType.DESCRIPTOR, types_pb2.DataType.DESCRIPTOR),
        (
            ours.ModelVersionStatus.State.DESCRIPTOR,
            get_model_status_pb2.ModelVersionStatus.State.DESCRIPTOR,
        ),
    ],
)
def test_every_value_has_the_number_of_the_original(mine: EnumDescriptor, other: EnumDescriptor) -> None:
    """Of the types of data we meet, and of all states."""
    assert {value.name: value.number for value in mine.values}.items() <= {
        value.name: value.number for value in other.values
    }.items()


def test_the_methods_have_the_paths_of_the_original() -> None:
    """As the generated clients ask for them."""
    asked = []

    def note(path: str, *_: object, **__: object) -> None:
        asked.append(path)

    channel = SimpleNamespace(unary_unary=note)
    prediction_service_pb2_grpc.PredictionServiceStub(channel)
    model_service_pb2_grpc.ModelServiceStub(channel)

    assert {messages.PREDICT, messages.MODEL_STATUS, messages.RELOAD} <= set(asked)


@given(name=names, version=versions, shape=shapes, order=st.sampled_from("CF"))
def test_a_request_for_scores_is_the_original_s(
    name: str, version: int, shape: tuple[int, ...], order: str
) -> None:
    """Also of an array that does not lie in memory as it is sent."""
    pictures = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape, order=order)  # type: ignore[call-overload] - "C" or "F"
    request = predict_pb2.PredictRequest(output_filter=["scores"])
    request.model_spec.name = name
    request.model_spec.version.value = version
    tensor = request.inputs["images"]
    tensor.dtype = types_pb2.DT_UINT8
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = pictures.tobytes()

    assert request.SerializeToString(deterministic=True) == messages.images_request(name, version, pictures)


@pytest.mark.parametrize("side", [1, 6, 7, 52, 53, 836, 837])
def test_a_request_is_the_original_s_where_its_length_takes_another_byte(side: int) -> None:
    """Lengths are written in groups of seven bits: on both sides of 128, 16384 and 2097152."""
    pictures = np.full((1, side, side, 3), 7, np.uint8)
    request = predict_pb2.PredictRequest.FromString(messages.images_request("m", 1, pictures))

    assert pictures.tobytes() == request.inputs["images"].tensor_content
    assert request.SerializeToString(deterministic=True) == messages.images_request("m", 1, pictures)


@given(name=names, version=st.none() | versions, label=st.none() | names)
def test_a_request_for_the_contract_is_the_original_s(
    name: str, version: int | None, label: str | None
) -> None:
    """By version, by label, or for the newest."""
    request = predict_pb2.PredictRequest(output_filter=["contract"])
    request.model_spec.name = name
    request.model_spec.signature_name = "contract"
    if version is not None:
        request.model_spec.version.value = version
    elif label is not None:
        request.model_spec.version_label = label
    probe = request.inputs["probe"]
    probe.dtype = types_pb2.DT_INT32
    probe.tensor_shape.dim.add(size=1)
    probe.int_val.append(0)
    written = messages.contract_request(name, version=version, label=label)

    assert request.SerializeToString(deterministic=True) == written


@given(name=names)
def test_a_request_for_the_states_is_the_original_s(name: str) -> None:
    """Of all versions."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name

    assert request.SerializeToString(deterministic=True) == messages.status_request(name)


models = st.fixed_dictionaries(
    {
        "name": names,
        "policy": st.sampled_from(["latest", "all", "specific"]),
        "versions": st.lists(versions, min_size=1, max_size=4, unique=True),
        "labels": st.dictionaries(names, versions, max_size=3),
    }
)


def configure(config: Any, asked: list[dict[str, Any]]) -> Any:
    """Fill a configuration of either set of messages."""
    for model in asked:
        one = config.model_config_list.config.add(
            name=model["name"], base_path=f"/models/{model['name']}", model_platform="tensorflow"
        )
        policy = one.model_version_policy
        if model["policy"] == "latest":
            policy.latest.num_versions = len(model["versions"])
        elif model["policy"] == "all":
            policy.all.SetInParent()
        else:
            policy.specific.versions.extend(model["versions"])
        one.version_labels.update(model["labels"])
    return config


@given(asked=st.lists(models, max_size=3))
def test_a_configuration_is_the_original_s_as_bytes_and_as_text(asked: list[dict[str, Any]]) -> None:
    """So a server takes it over the call, and reads it from its file."""
    mine = configure(ours.ModelServerConfig(), asked)
    other = configure(model_server_config_pb2.ModelServerConfig(), asked)
    request = model_management_pb2.ReloadConfigRequest(config=other)
    text = text_format.MessageToString(mine, as_utf8=True)

    assert request.SerializeToString(deterministic=True) == messages.reload_request(mine)
    assert mine == ours.ModelServerConfig.FromString(other.SerializeToString())
    assert other == text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def answer(form: Any, name: str, version: int, scores: list[float], texts: list[bytes]) -> Any:
    """Make an answer with scores, as values and as bytes, and texts, by either set of messages."""
    response = form()
    response.model_spec.name = name
    response.model_spec.signature_name = "serving_default"
    response.model_spec.version.value = version
    values, content, told = (response.outputs[alias] for alias in ("scores", "content", "contract"))
    values.float_val.extend(scores)
    content.tensor_content = np.array(scores, "<f4").tobytes()
    told.string_val.extend(texts)
    for tensor, dtype, size in (
        (values, types_pb2.DT_FLOAT, len(scores)),
        (content, types_pb2.DT_FLOAT, len(scores)),
        (told, types_pb2.DT_STRING, len(texts)),
    ):
        tensor.dtype = dtype
        tensor.tensor_shape.dim.add(size=size)
    return response


@given(
    name=names,
    version=versions,
    scores=st.lists(floats, max_size=20),
    texts=st.lists(st.binary(max_size=20), max_size=3),
)
def test_an_answer_is_the_original_s_in_both_directions(
    name: str, version: int, scores: list[float], texts: list[bytes]
) -> None:
    """Written by either, read by the other, written again: the same bytes."""
    mine = answer(ours.PredictResponse, name, version, scores, texts)
    other = answer(predict_pb2.PredictResponse, name, version, scores, texts)
    written = other.SerializeToString(deterministic=True)

    assert written == mine.SerializeToString(deterministic=True)
    assert mine == ours.PredictResponse.FromString(written)
    assert other == predict_pb2.PredictResponse.FromString(mine.SerializeToString(deterministic=True))


@given(
    reports=st.lists(
        st.tuples(versions, states, st.integers(0, 16), names),
        max_size=4,
    )
)
def test_states_are_the_original_s_in_both_directions(reports: list[tuple[int, int, int, str]]) -> None:
    """With their errors."""
    mine, other = ours.GetModelStatusResponse(), get_model_status_pb2.GetModelStatusResponse()
    for version, state, code, message in reports:
        for response, text in ((mine, message.encode()), (other, message)):
            one = response.model_version_status.add(version=version, state=state)  # type: ignore[attr-defined] - of two types
            one.status.error_code = code
            one.status.error_message = text
    written = other.SerializeToString(deterministic=True)

    assert written == mine.SerializeToString(deterministic=True)
    assert mine == ours.GetModelStatusResponse.FromString(written)
    assert [
        (report.version, report.error_code, report.message) for report in messages.read_status(written)
    ] == [(version, code, message) for version, _, code, message in reports]


def test_the_generated_files_are_fresh(tmp_path: Path) -> None:
    """`make proto` writes what is committed: whoever changes serving.proto runs it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I."),
            *(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"{WIRE}.proto"),
        ],
        cwd=SERVING,
        check=True,
    )

    for ending in ("_pb2.py", "_pb2.pyi"):
        assert (tmp_path / (WIRE + ending)).read_bytes() == (SERVING / (WIRE + ending)).read_bytes(), ending


def test_both_sets_of_messages_live_in_one_process() -> None:
    """Their names differ, so that a process that has TensorFlow as well can load them."""
    assert "pictor.tensorflow_serving.TensorProto" == ours.TensorProto.DESCRIPTOR.full_name
    assert "tensorflow.TensorProto" == TensorProto.DESCRIPTOR.full_name
