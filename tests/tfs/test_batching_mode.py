"""The stand-in's batching mode."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from tfs.batching import Batcher, BatchingRules
from tfs.models import Input, Refused, Signature
from tfs.stand_in import StandIn
from tfs.tensors import Array

Start = Callable[..., StandIn]
Ask = Callable[..., Any]
RequestFor = Callable[..., Any]


class AnyShape:
    """A model without `ensure_shape`: it answers each row's first number."""

    signatures = {  # noqa: RUF012 - never changed
        "serving_default": Signature(
            {"images": Input("serving_default_images:0", 4, (None, None))}, ("rows",)
        ),
        "nothing": Signature({}, ("rows",)),
    }

    def run(self, signature: str, inputs: dict[str, Array], outputs: tuple[str, ...]) -> dict[str, Array]:
        """Answer."""
        return {"rows": inputs["images"][:, 0].astype(np.float32)}


def rows(*shape: int) -> dict[str, Array]:
    """Make an input."""
    return {"images": np.ones(shape, np.uint8)}


def outcome(call: Any) -> str:
    """Return how a call ended."""
    return str(call.code().name)


def test_calls_that_come_together_run_together(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """Two calls of two pictures fill one batch of four, which runs without waiting for its time."""
    server = tfs(batching=BatchingRules(max_batch_size=4, batch_timeout_s=30))
    client = ask(server.address)
    pictures = {"images": np.zeros((2, 8, 8, 3), np.uint8)}
    calls = [client.later(request_for(inputs=pictures)) for _ in range(2)]

    assert [(2, 3), (2, 3)] == [
        tuple(dim.size for dim in call.result(30).outputs["scores"].tensor_shape.dim) for call in calls
    ]
    assert server.batcher is not None
    assert [4] == server.batcher.sizes


def test_one_wrong_shape_fails_its_whole_batch(tfs: Start, ask: Ask, request_for: RequestFor) -> None:
    """The good call of the batch fails with the bad one."""
    server = tfs(versions=(), batching=BatchingRules(max_batch_size=2, batch_timeout_s=30))
    server.load("any", 1, AnyShape())
    client = ask(server.address)
    calls = [client.later(request_for("any", rows(1, width))) for width in (4, 5)]

    assert ["FAILED_PRECONDITION"] * 2 == [outcome(call) for call in calls]
    told = "Tensors with name 'serving_default_images:0' from different tasks have different shapes"
    assert told == calls[0].details()[: len(told)]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"inputs": rows(5, 4)}, "Task size 5 is larger than maximum input batch size 4"),
        (
            {"inputs": {}, "signature": "nothing"},
            "Batching Run() must have at least one input tensor",
        ),
    ],
)
def test_what_cannot_be_batched_is_refused(
    asked: dict[str, Any], text: str, tfs: Start, ask: Ask, request_for: RequestFor
) -> None:
    """Too many rows, or no input at all."""
    server = tfs(versions=(), batching=BatchingRules())
    server.load("any", 1, AnyShape())
    with pytest.raises(grpc.RpcError) as refused:
        ask(server.address).predict(request_for("any", **asked))

    assert (grpc.StatusCode.INVALID_ARGUMENT, text) == (refused.value.code(), refused.value.details())


def test_a_full_queue_refuses(
    tfs: Start,
    ask: Ask,
    request_for: RequestFor,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """One batch runs, one waits, the third is told so."""
    rules = BatchingRules(max_batch_size=1, max_enqueued_batches=1, num_batch_threads=1)
    server = tfs(batching=rules)
    client = ask(server.address)
    server.faults.slow(30.0)
    batcher = server.batcher
    assert batcher is not None
    calls = [client.later(request_for(), timeout=0.5)]
    wait_until(lambda: len(batcher.sizes) == 1)
    calls += [client.later(request_for(), timeout=0.5)]
    wait_until(lambda: batcher.waiting == 1)
    with pytest.raises(grpc.RpcError) as refused:
        client.predict(request_for())

    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    assert refused.value.details() == (
        "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued "
        "and max_enqueued_batches is 1"
    )
    assert ["DEADLINE_EXCEEDED"] * 2 == [outcome(call) for call in calls]


def test_a_batch_that_is_too_late_does_not_run() -> None:
    """Its queue's own code; a client with a deadline has gone by then, so it is asked here without one."""

    class Late:
        left_s = 0.0

    with pytest.raises(Refused, match="timeout exceeded while waiting in batching queue") as refused:
        Batcher(BatchingRules()).run("key", rows(1, 4), Late(), lambda inputs, _: inputs)  # type: ignore[arg-type] - has what is read

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == refused.value.code
