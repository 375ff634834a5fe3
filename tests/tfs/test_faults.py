"""What a test can make go wrong, and what the stand-in says it was asked."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from colours import colour_scores, make_contract
from pictor_contract import ImageContract
from tfs.faults import QUEUE_FULL
from tfs.stand_in import StandIn, TlsFiles
from tfs.tensors import to_array

Start = Callable[..., StandIn]
Ask = Callable[..., Any]
RequestFor = Callable[..., Any]

NOISE = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8)


def told_contract(client: Any, request_for: RequestFor, **spec: Any) -> tuple[int, str]:
    """Ask for the contract; return the version that answered, and its JSON."""
    probe = {"probe": np.zeros(1, np.int32)}
    answer = client.predict(request_for(inputs=probe, signature="contract", **spec))
    return answer.model_spec.version.value, to_array(answer.outputs["contract"])[0].decode()


def scores_of(answer: Any) -> np.ndarray[Any, Any]:
    """Return an answer's scores."""
    return to_array(answer.outputs["scores"])


@pytest.mark.parametrize("as_content", [False, True])
def test_pictures_are_answered_by_the_version_asked_for(
    as_content: bool,
    tfs: Start,
    ask: Ask,
    request_for: RequestFor,
) -> None:
    """In both encodings; the newest version unless another is named."""
    client = ask(tfs(versions=(1, 2), as_content=as_content).address)
    first = client.predict(request_for(inputs={"images": NOISE}, version=1, outputs=("scores",)))
    newest = client.predict(request_for(inputs={"images": NOISE}))

    assert as_content == bool(first.outputs["scores"].tensor_content)
    np.testing.assert_allclose(scores_of(first), colour_scores(NOISE, 10.0), rtol=1e-6)
    np.testing.assert_allclose(scores_of(newest), colour_scores(NOISE, 20.0), rtol=1e-6)
    assert [1, 2] == [one.model_spec.version.value for one in (first, newest)]


def test_the_contract_follows_versions_and_labels(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Loaded, unloaded and labelled while it runs."""
    server = tfs()
    client = ask(server.address)
    server.label("stable", 1)
    server.load_colours(2)
    newest, text = told_contract(client, request_for)
    stable, _ = told_contract(client, request_for, label="stable")
    server.unload(2)
    back, _ = told_contract(client, request_for)

    assert [2, 1, 1] == [newest, stable, back]
    assert make_contract("colours", 20.0) == ImageContract.from_json(text)


def test_the_states_are_reported_newest_first(tfs: Start, ask: Ask) -> None:
    """With the error of a version that could not be loaded."""
    server = tfs()
    server.report(2, "LOADING")
    server.report(3, "END", code=15, message="Can't parse saved_model.pb as binary proto")
    states = ask(server.address).status("colours").model_version_status

    assert [(3, 50), (2, 20), (1, 30)] == [(one.version, one.state) for one in states]
    assert (15, "Can't parse saved_model.pb as binary proto") == (
        states[0].status.error_code,
        states[0].status.error_message,
    )


def test_a_message_that_is_no_text_breaks_the_clients_of_python(tfs: Start, ask: Ask) -> None:
    """As with the real server; asking for a good version works."""
    server = tfs()
    server.report(2, "END", code=3, message=b"Failed to parse warmup record: \xff\xfe\x00")
    client = ask(server.address)
    with pytest.raises(grpc.RpcError) as refused:
        client.status("colours")

    assert grpc.StatusCode.INTERNAL == refused.value.code()
    assert 30 == client.status("colours", version=1).model_version_status[0].state


def test_a_deadline_ends_a_slow_call(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """The server gives up itself, and counts the call."""
    server = tfs()
    server.faults.slow(30.0)
    with pytest.raises(grpc.RpcError) as refused:
        ask(server.address).predict(request_for(), timeout=0.05)

    assert grpc.StatusCode.DEADLINE_EXCEEDED == refused.value.code()
    (call,) = server.asked()
    assert call.time_remaining_s is not None
    assert 0 < call.time_remaining_s < 0.06


def test_calls_are_kept_with_their_metadata(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Who asked what, how large, with how much time."""
    server = tfs()
    request = request_for(inputs={"images": NOISE}, version=1)
    ask(server.address).predict(request, timeout=None, metadata=[("traceparent", "00-1-2-01")])

    (call,) = server.asked(signature="serving_default")
    assert (3, 1, None, None) == (call.pictures, call.version, call.label, call.time_remaining_s)
    assert request.ByteSize() == call.size_bytes
    assert "00-1-2-01" == call.metadata["traceparent"]


def test_held_calls_go_on_when_healed(
    tfs: Start,
    ask: Ask,
    request_for: RequestFor,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """Until then there is no answer at all; other methods are answered."""
    server = tfs()
    client = ask(server.address)
    server.faults.hold("Predict")
    held = client.later(request_for())
    wait_until(lambda: server.faults.held == 1)
    assert client.status("colours").model_version_status
    assert not held.done()
    server.faults.heal()

    assert (1, 3) == scores_of(held.result(30)).shape


def test_so_many_calls_fail_as_were_told_to(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Then it answers again."""
    server = tfs()
    client = ask(server.address)
    server.faults.fail("UNAVAILABLE", QUEUE_FULL, times=2)
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as refused:
            client.predict(request_for())
        assert (grpc.StatusCode.UNAVAILABLE, QUEUE_FULL) == (refused.value.code(), refused.value.details())

    assert client.predict(request_for())


def test_a_half_loaded_version_tells_its_contract_and_fails_at_pictures(
    tfs: Start, ask: Ask, request_for: RequestFor
) -> None:
    """Its state is AVAILABLE all the same."""
    server = tfs()
    server.load_half(2)
    client = ask(server.address)
    assert 2 == told_contract(client, request_for)[0]
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for())

    assert grpc.StatusCode.FAILED_PRECONDITION == refused.value.code()
    assert refused.value.details().startswith("Could not find variable sequential/conv2d_1/bias_1")
    assert 30 == client.status("colours").model_version_status[0].state


def test_a_spoilt_version_answers_wrongly_and_the_others_do_not(
    tfs: Start, ask: Ask, request_for: RequestFor
) -> None:
    """Each way to be wrong is told apart from what is right."""
    server = tfs(versions=(1, 2))
    client = ask(server.address)
    right = scores_of(client.predict(request_for(inputs={"images": NOISE}, version=2)))
    wrong = {}
    for how in ("nan", "other_shape", "other_dtype", "other_scores"):
        server.faults.spoil(how, version=2)
        wrong[how] = scores_of(client.predict(request_for(inputs={"images": NOISE}, version=2)))

    assert np.isnan(wrong["nan"]).all()
    assert (3, 4) == wrong["other_shape"].shape
    assert np.float64 == wrong["other_dtype"].dtype
    assert np.abs(wrong["other_scores"] - right).max() > 0.01
    np.testing.assert_allclose(
        scores_of(client.predict(request_for(inputs={"images": NOISE}, version=1))),
        colour_scores(NOISE, 10.0),
        rtol=1e-6,
    )


@pytest.mark.parametrize("how", ["other_contract", "no_json"])
def test_a_spoilt_contract_is_another_text(how: str, tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Another digest, or no JSON at all."""
    server = tfs()
    client = ask(server.address)
    _, right = told_contract(client, request_for)
    server.faults.spoil(how)

    assert right != told_contract(client, request_for)[1]


def test_garbage_is_no_answer(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """The client's library cannot read it."""
    server = tfs()
    server.faults.spoil("garbage")
    with pytest.raises(grpc.RpcError) as refused:
        ask(server.address).predict(request_for())

    assert grpc.StatusCode.INTERNAL == refused.value.code()


def test_it_comes_back_on_its_port(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Stopped, nobody listens; started again, ended versions are forgotten."""
    server = tfs()
    server.unload(2)
    address = server.address
    server.stop()
    with pytest.raises(grpc.RpcError) as refused:
        ask(address).predict(request_for())
    server.start()

    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    assert address == server.address
    assert [1] == [one.version for one in ask(address).status("colours").model_version_status]


def test_mutual_tls_wants_the_clients_certificate(
    tfs: Start, ask: Ask, request_for: RequestFor, tls_files: TlsFiles
) -> None:
    """With it there is an answer, without it none."""
    server = tfs(tls=tls_files, mutual=True)
    authority = tls_files.ca.read_bytes()
    pair = (tls_files.client_key.read_bytes(), tls_files.client_cert.read_bytes())
    with pytest.raises(grpc.RpcError) as refused:
        ask(server.address, grpc.ssl_channel_credentials(authority)).predict(request_for())

    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    assert ask(server.address, grpc.ssl_channel_credentials(authority, *pair)).predict(request_for())
