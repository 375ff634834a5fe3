"""A configuration told to the servers: into the file they start with and may poll, then by the call."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grpc import StatusCode

from pictor_store.errors import StoreError
from pictor_store.serving.channel import CallFailed, Pending, Server
from pictor_store.serving.models_config import Served, make_config, write_config
from pictor_tfs.messages import RELOAD, InvalidAnswer, check_reloaded, reload_request
from pictor_tfs.wire import serving_pb2 as wire

_MAY_FOLLOW = frozenset({StatusCode.UNKNOWN, StatusCode.FAILED_PRECONDITION})
"""UNKNOWN: a model that is new to it could not be loaded; the configuration stays applied all the same.

FAILED_PRECONDITION: a label names a version it has not loaded, as after a restart; the rest is not applied.
"""


Order = tuple[Server, Sequence[Served]]
"""What one server is told. They may differ, as after a restart, and each keeps the labels it has."""


class StepFailed(Exception):
    """The servers do not follow; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What all configurations have in common; `others` are entries that are not the store's."""

    base_path: str
    file: Path | None
    others: Sequence[wire.ModelConfig]

    def write(self, served: Sequence[Served]) -> None:
        """Write the file, if there is one.

        Raises:
            StepFailed: it cannot be written.
        """
        if self.file is not None:
            try:
                write_config(self.file, make_config(served, self.base_path, self.others))
            except StoreError as error:
                raise StepFailed(str(error)) from error

    def call(self, orders: Sequence[Order], timeout_s: float) -> dict[str, str]:
        """Call the servers, all at once; return the words of those to look at, by address.

        Write the file first: a server that polls it would undo what the call did, and one that is restarted
        begins with it.

        Raises:
            StepFailed: one refuses.
        """
        calls = [
            (server, server.begin(RELOAD, self._request(served), timeout_s)) for server, served in orders
        ]
        said = [(server.address, self._outcome(call, timeout_s)) for server, call in calls]
        return {address: words for address, words in said if words}

    def _request(self, served: Sequence[Served]) -> bytes:
        return reload_request(make_config(served, self.base_path, self.others))

    def _outcome(self, call: Pending, timeout_s: float) -> str:
        try:
            check_reloaded(call.answer())
        except InvalidAnswer as error:
            return str(error)
        except CallFailed as failure:
            if failure.code in _MAY_FOLLOW or failure.is_away:
                return str(failure)
            if failure.code is StatusCode.DEADLINE_EXCEEDED:
                raise StepFailed(_blocked_text(failure, timeout_s, self.base_path)) from failure
            raise StepFailed(str(failure)) from failure
        return ""


def _blocked_text(failure: CallFailed, timeout_s: float, base_path: str) -> str:
    return (
        f"{failure}: no end of the reload after {timeout_s:.0f} s. Either a model takes longer to load, or a "
        f"model's folder is not where it looks for it, below {base_path}. Then it takes no other "
        "configuration, though it goes on answering, until that folder is there or it is restarted"
    )
