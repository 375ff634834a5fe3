"""From the servers' refusals to ours: one table. What TensorFlow Serving writes never reaches a caller."""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final

from grpc import StatusCode

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed, FailureKind
from pictor_gateway.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    GatewayError,
    InferenceFailed,
    Overloaded,
    VersionGone,
)

_BY_KIND: Final = MappingProxyType[FailureKind, Callable[[], GatewayError]](
    {
        "gone": partial(
            BackendUnavailable, "The model's server went away, and no other could answer in time."
        ),
        "busy": partial(Overloaded, "The model's servers are busy."),
        "late": partial(DeadlineExceeded, "inference"),
    }
)

_BY_CODE: Final = MappingProxyType[StatusCode, Callable[[], GatewayError]](
    {
        StatusCode.NOT_FOUND: partial(VersionGone, "This version of the model is not served any more."),
        # Only what stands between us and the server says these two.
        StatusCode.UNAUTHENTICATED: partial(BackendUnavailable, "The model's servers refuse the gateway."),
        StatusCode.PERMISSION_DENIED: partial(BackendUnavailable, "The model's servers refuse the gateway."),
    }
)
"""Of the answers of the application."""

_BROKEN: Final = partial(InferenceFailed, "The model could not answer this batch.")
"""All others: the pictures were checked before they were sent, so it is not they."""

PROVES_NOTHING: Final = frozenset({"gone", "busy", "late"})
"""Failures that say something about a server, and nothing about the version that was asked."""


def translated(failure: CallFailed) -> GatewayError:
    """Return what a caller is told about `failure`."""
    return (_BY_KIND.get(failure.kind) or _BY_CODE.get(failure.code, _BROKEN))()
