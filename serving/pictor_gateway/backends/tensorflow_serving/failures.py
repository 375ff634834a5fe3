"""What became of a call that gave no answer, judged by gRPC's codes and TensorFlow Serving's own words."""

from typing import TYPE_CHECKING, Final, Literal

import grpc

if TYPE_CHECKING:
    from pictor_gateway.backends.tensorflow_serving.server import Server

FailureKind = Literal["gone", "busy", "late", "refused"]
"""gone: no connection, or given up because the server was ejected. busy: its queue or its threads are full.
late: time ran out. refused: any other answer of the application; the code says which."""

# Texts of TensorFlow Serving itself; those of the gRPC library change from release to release.
_QUEUE_FULL: Final = "batch scheduling queue"
_EXPIRED_IN_QUEUE: Final = "waiting in batching queue"
# A text of our own gRPC library, which gives a message over our limit the code of a busy server.
_TOO_LARGE: Final = "message larger than max"
_BATCH_TOO_LARGE: Final = "larger than maximum input batch size"
# TensorFlow's, when a batch does not fit into the GPU's memory: a smaller one may.
_OUT_OF_MEMORY: Final = "OOM when allocating"

ILL_CODES: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
"""Answers that count against the server, not against the request."""

NO_FAULT: Final = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE})
"""Refusals that say nothing against a server: it has not got the version, or the message is too large.

All others do, as the pictures were checked before: another server may do better, and asking it once is safe.
"""


class CallFailed(Exception):
    """A call gave no answer. `details` are for the log, never for callers.

    `reached`: the connection stood when the call began, so the server may have seen it.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        server: "Server",
        kind: FailureKind,
        *,
        reached: bool = False,
        given_up: bool = False,
    ) -> None:
        super().__init__(f"{server.address}: {code.name}: {details}")
        self.code = code
        self.details = details
        self.server = server
        self.kind = kind
        self.reached = reached
        self.given_up = given_up


def judge(code: grpc.StatusCode, details: str) -> tuple[grpc.StatusCode, FailureKind]:
    """Return the code as it is meant, and what it says about the call."""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _exhausted(details)
    if code is grpc.StatusCode.UNAVAILABLE:
        return code, "busy" if _QUEUE_FULL in details else "gone"
    if code is grpc.StatusCode.INVALID_ARGUMENT and _BATCH_TOO_LARGE in details:
        return grpc.StatusCode.OUT_OF_RANGE, "refused"
    if code is grpc.StatusCode.CANCELLED:  # not by us: the server ended it while it was stopped
        return grpc.StatusCode.UNAVAILABLE, "gone"
    return code, "late" if code is grpc.StatusCode.DEADLINE_EXCEEDED else "refused"


def _exhausted(details: str) -> tuple[grpc.StatusCode, FailureKind]:
    if _EXPIRED_IN_QUEUE in details:
        return grpc.StatusCode.RESOURCE_EXHAUSTED, "late"
    if _TOO_LARGE in details:
        return grpc.StatusCode.OUT_OF_RANGE, "refused"
    if _OUT_OF_MEMORY in details:
        return grpc.StatusCode.ABORTED, "refused"
    return grpc.StatusCode.RESOURCE_EXHAUSTED, "busy"
