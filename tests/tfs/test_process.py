"""The stand-in as a process, and with a real SavedModel."""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from pictor_contract import decode
from pictor_contract.artifact import read_contract
from pictor_contract.signature import TOLERANCE
from tfs.process import TfsProcess
from tfs.stand_in import StandIn
from tfs.tensors import to_array

Ask = Callable[..., Any]
RequestFor = Callable[..., Any]


def test_a_process_is_told_what_to_do_and_killed(
    tfs_process: Callable[..., TfsProcess], ask: Ask, request_for: RequestFor
) -> None:
    """It comes back on its port with what it began with."""
    process = tfs_process(begin=[("label", {"label": "stable", "version": 1})])
    address = process.address
    client = ask(address)
    process.do("load_colours", version=2)
    assert 2 == client.predict(request_for()).model_spec.version.value
    assert [("Predict", 1)] == [(call.method, call.pictures) for call in process.asked()]
    process.kill()
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for())
    process.start()

    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    assert address == process.address
    assert 1 == ask(address).predict(request_for(label="stable")).model_spec.version.value


def test_a_hung_process_takes_calls_and_answers_none(
    tfs_process: Callable[..., TfsProcess], ask: Ask, request_for: RequestFor
) -> None:
    """Until it goes on."""
    process = tfs_process()
    client = ask(process.address)
    client.predict(request_for())
    process.hang()
    call = client.later(request_for())
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for(), timeout=0.1)
    process.go_on()

    assert grpc.StatusCode.DEADLINE_EXCEEDED == refused.value.code()
    assert grpc.StatusCode.OK == call.code()


def test_a_real_model_answers_its_golden_example_and_refuses_other_shapes(
    tfs: Callable[..., StandIn], ask: Ask, request_for: RequestFor, saved_model_store: Path
) -> None:
    """Through a session as the real server has it: the graph itself refuses."""
    server = tfs(versions=())
    server.load_folder(saved_model_store / "pets" / "1", "pets", 1)
    client = ask(server.address)
    contract = read_contract(saved_model_store / "pets" / "1")
    assert contract.golden is not None
    picture = decode(b64decode(contract.golden.picture_base64), contract)
    answer = client.predict(request_for("pets", {"images": picture[np.newaxis]}))
    told = client.predict(request_for("pets", {"probe": np.zeros(2, np.int32)}, signature="contract"))
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for("pets", {"images": picture}))

    np.testing.assert_allclose(to_array(answer.outputs["scores"])[0], contract.golden.scores, atol=TOLERANCE)
    assert [contract.to_json().encode()] * 2 == list(to_array(told.outputs["contract"]))
    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
    assert "[16,24,3] is not compatible with expected shape [?,16,24,3]" in refused.value.details()
