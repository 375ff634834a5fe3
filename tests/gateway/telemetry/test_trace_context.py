"""W3C trace context: what is read of it, and what is ignored."""

from typing import Any

import pytest
from starlette.datastructures import Headers

from pictor_gateway.telemetry.trace_context import read_trace_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def _read(*lines: tuple[str, str]) -> Any:
    return read_trace_context(Headers(raw=[(name.encode(), value.encode()) for name, value in lines]))


def test_the_callers_trace_context_is_read() -> None:
    """Trace, parent, whether it is recorded, and what other systems noted."""
    context = _read(("traceparent", TRACEPARENT), ("tracestate", "a=1, b@c=2,"), ("tracestate", "d=3"))
    assert (TRACE, PARENT, True) == (context.trace_id, context.parent_id, context.sampled)
    assert (("a", "1"), ("b@c", "2"), ("d", "3")) == context.state
    assert TRACEPARENT == context.traceparent


@pytest.mark.parametrize(
    ("sent", "handed_on"),
    [
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"00-{TRACE}-{PARENT}-03", f"00-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01", TRACEPARENT),
        (f"cc-{TRACE}-{PARENT}-01-what-comes-later", TRACEPARENT),
        (f" {TRACEPARENT}\t", TRACEPARENT),
    ],
)
def test_it_is_handed_on_in_the_version_we_know(sent: str, handed_on: str) -> None:
    """With the one flag that this version has."""
    assert handed_on == _read(("traceparent", sent)).traceparent


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "nonsense",
        TRACE,
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01.",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE[1:]}g-{PARENT}-01",
        f"{TRACEPARENT},{TRACEPARENT}",
    ],
)
def test_a_malformed_trace_context_is_ignored(sent: str) -> None:
    """As if there were none."""
    assert _read(("traceparent", sent), ("tracestate", "a=1")) is None


def test_two_trace_contexts_are_none() -> None:
    """Nobody knows which is meant."""
    assert _read(("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)) is None


@pytest.mark.parametrize(
    "state", ["a", "=1", "a=1,a=2", "A=1", "a=1,b", "a=" + "x" * 257, ",".join(f"k{i}=1" for i in range(33))]
)
def test_a_malformed_state_is_dropped_alone(state: str) -> None:
    """The trace itself goes on."""
    context = _read(("traceparent", TRACEPARENT), ("tracestate", state))
    assert (TRACE, ()) == (context.trace_id, context.state)
