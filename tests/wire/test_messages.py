"""What is believed of an answer, and what is not."""

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictor_tfs.messages import (
    InvalidAnswer,
    VersionReport,
    check_reloaded,
    read_contract,
    read_scores,
    read_status,
)
from tfs.apis import get_model_status_pb2, model_management_pb2, predict_pb2, types_pb2
from tfs.tensors import from_array

SCORES = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5]], np.float32)


def answer_with(array: Any, alias: str = "scores", *, as_content: bool = False) -> Any:
    """Make an answer of version 7 with one output."""
    response = predict_pb2.PredictResponse()
    response.model_spec.name = "m"
    response.model_spec.version.value = 7
    response.outputs[alias].CopyFrom(from_array(np.asarray(array), as_content=as_content))
    return response


@pytest.mark.parametrize("as_content", [False, True])
def test_scores_are_read_in_both_encodings(as_content: bool) -> None:
    """As values, the server's default, and as bytes; little more memory is kept than they take."""
    scores = read_scores(answer_with(SCORES, as_content=as_content).SerializeToString(), 3, 2)

    np.testing.assert_array_equal(SCORES, scores)
    assert np.float32 == scores.dtype


def test_what_ours_does_not_know_is_passed_over() -> None:
    """Fields, outputs and types of other releases."""
    response = answer_with(SCORES)
    response.outputs["scores"].version_number = 3
    response.outputs["more"].CopyFrom(from_array(np.ones(2, np.int64), as_content=False))
    response.outputs["more"].dtype = types_pb2.DT_BFLOAT16

    np.testing.assert_array_equal(SCORES, read_scores(response.SerializeToString() + b"\xf8\x07\x01", 3, 2))


def shortened(response: Any) -> Any:
    """Take the last values away: TensorFlow would repeat the one before."""
    del response.outputs["scores"].float_val[-2:]
    return response


def cut(response: Any) -> Any:
    """Take the last byte away."""
    tensor = response.outputs["scores"]
    tensor.tensor_content = tensor.tensor_content[:-1]
    return response


def of_no_rank(response: Any) -> Any:
    """Say nothing of the shape."""
    response.outputs["scores"].tensor_shape.Clear()
    response.outputs["scores"].tensor_shape.unknown_rank = True
    return response


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (answer_with(SCORES, "probabilities"), r"outputs are \['probabilities'\]"),
        (predict_pb2.PredictResponse(), r"outputs are \[\]"),
        (answer_with(SCORES.astype(np.float64)), "data type 2; by the contract it is 1"),
        (answer_with(SCORES[:2]), r"shape \[2, 2\]; by the contract it is \[3, 2\]"),
        (answer_with(SCORES.T), r"shape \[2, 3\]"),
        (answer_with(SCORES.ravel()), r"shape \[6\]"),
        (answer_with(SCORES[np.newaxis]), r"shape \[1, 3, 2\]"),
        (of_no_rank(answer_with(SCORES)), r"shape \[\]"),
        (shortened(answer_with(SCORES)), "4 scores came where 6 were announced"),
        (cut(answer_with(SCORES, as_content=True)), "6 scores came as 23 bytes"),
    ],
)
def test_scores_that_are_none_are_refused(response: Any, told: str) -> None:
    """Missing, of another type, of another shape, or cut."""
    with pytest.raises(InvalidAnswer, match=told):
        read_scores(response.SerializeToString(), 3, 2)


@pytest.mark.parametrize(
    "read",
    [lambda body: read_scores(body, 1, 2), read_contract, read_status, check_reloaded],
)
def test_bytes_that_are_no_message_are_refused(read: Any) -> None:
    """By every reader."""
    with pytest.raises(InvalidAnswer, match="3 bytes that are no"):
        read(b"\xff\xff\xff")


@given(body=st.binary(max_size=60), cut_at=st.integers(0, 200), flipped=st.integers(0, 200))
def test_damaged_answers_are_read_or_refused(body: bytes, cut_at: int, flipped: int) -> None:
    """Nothing else comes of any bytes: random ones, and a good answer cut short or with a byte changed."""
    good = bytearray(answer_with(SCORES).SerializeToString())
    good[flipped % len(good)] ^= 0x55
    for damaged in (body, bytes(good[:cut_at])):
        for read in (partial(read_scores, pictures=3, labels=2), read_contract, read_status):
            with suppress(InvalidAnswer):
                read(damaged)


def test_a_contract_is_read_with_the_version_that_told_it() -> None:
    """As text."""
    told = answer_with(np.array(['{"labels": ["röd"]}'.encode()], object), "contract")

    assert (7, '{"labels": ["röd"]}') == read_contract(told.SerializeToString())


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (np.array([b"\xff\xfe"], object), "no UTF-8"),
        (np.array([b"{}", b"{}"], object), "2 contracts"),
        (np.array([], object), "0 contracts"),
        (np.array([1.0], np.float32), "data type 1"),
    ],
)
def test_a_contract_that_is_none_is_refused(output: Any, told: str) -> None:
    """No text, not one, or a number."""
    with pytest.raises(InvalidAnswer, match=told):
        read_contract(answer_with(output, "contract").SerializeToString())


def test_an_answer_of_an_unnamed_version_is_refused() -> None:
    """Nobody could say whose it is."""
    response = answer_with(np.array([b"{}"], object), "contract")
    response.model_spec.ClearField("version")
    with pytest.raises(InvalidAnswer, match="which version"):
        read_contract(response.SerializeToString())


def test_states_are_read_with_messages_that_are_no_text() -> None:
    """The original's reader cannot read them; a state of a later release is not taken for AVAILABLE."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, state in ((6, 70), (5, 10), (4, 20), (3, 30), (2, 40), (1, 50)):
        response.model_version_status.add(version=version, state=state)
    response.model_version_status[5].status.error_code = 3
    response.model_version_status[5].status.error_message = "AAAA"
    body = response.SerializeToString().replace(b"AAAA", b"no \xff")

    assert (
        VersionReport(6, "loading", 0, ""),
        VersionReport(5, "loading", 0, ""),
        VersionReport(4, "loading", 0, ""),
        VersionReport(3, "available", 0, ""),
        VersionReport(2, "unloading", 0, ""),
        VersionReport(1, "ended", 3, "no �"),
    ) == read_status(body)


def test_a_reload_that_failed_is_told_from_one_that_did_not() -> None:
    """By the code in the answer; the words are the server's."""
    check_reloaded(model_management_pb2.ReloadConfigResponse().SerializeToString())
    failed = model_management_pb2.ReloadConfigResponse()
    failed.status.error_code = 2
    failed.status.error_message = "1 model(s) did not become available"

    with pytest.raises(InvalidAnswer, match="code 2: 1 model"):
        check_reloaded(failed.SerializeToString())
