"""The two questions at each look: which versions a server has, and which of them its labels mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from grpc import StatusCode

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.backends.tensorflow_serving.translation import PROVES_NOTHING
from pictor_tfs.messages import (
    MODEL_STATUS,
    PREDICT,
    InvalidAnswer,
    VersionReport,
    contract_request,
    read_contract,
    read_status,
    status_request,
)

MOST_WORDS: Final = 200
"""Letters of another program's message that are logged."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of the question for versions.

    `reports`: None if they stayed unknown. Not `complete`: there may be more versions than reported.
    `trouble` names the server, for operators; `details` hold other programs' words, for the log alone.
    """

    alive: bool
    reports: tuple[VersionReport, ...] | None
    trouble: str = ""
    details: str = ""
    complete: bool = True


async def ask_versions(server: Server, name: str, timeout_s: float) -> Heard:
    """Ask for every version's state."""
    try:
        reports = read_status(await server.call(MODEL_STATUS, status_request(name), timeout_s))
    except CallFailed as failure:
        return await _heard_failing(failure, name, timeout_s)
    except InvalidAnswer as error:
        return await _newest_alone(server, name, timeout_s, "answers with a status that is none", str(error))
    return Heard(alive=True, reports=reports)


async def ask_labels(
    server: Server, name: str, labels: Iterable[str], known: Mapping[str, int], timeout_s: float
) -> dict[str, int]:
    """Return the version of each label; what the server was too busy to say is as `known`.

    So is a label whose version was unloaded: it still says which version is meant, and that it is not there.
    """
    found: dict[str, int] = {}
    for label in labels:  # one by one: it may have a handful of threads, and they are for pictures
        request = contract_request(name, label=label)
        try:
            found[label], _ = read_contract(await server.call(PREDICT, request, timeout_s))
        except CallFailed as failure:  # INVALID_ARGUMENT: no such label; NOT_FOUND: its version is not loaded
            unloaded = failure.code is StatusCode.NOT_FOUND
            if label in known and (unloaded or failure.kind in PROVES_NOTHING):
                found[label] = known[label]
        except InvalidAnswer:
            continue
    return found


async def _heard_failing(failure: CallFailed, name: str, timeout_s: float) -> Heard:
    who, code = f"TensorFlow Serving at {failure.server.address}", failure.code.name
    details = failure.details[:MOST_WORDS]
    if failure.kind in ("gone", "late"):
        return Heard(False, None, f"{who} does not answer ({code}).", details)
    if failure.kind == "busy":
        return Heard(True, None, f"{who} is busy ({code}).", details)
    if failure.code is StatusCode.NOT_FOUND:
        return Heard(True, (), f"{who} has no model {name!r}.", details)
    return await _newest_alone(
        failure.server, name, timeout_s, f"does not tell its versions ({code})", details
    )


async def _newest_alone(server: Server, name: str, timeout_s: float, trouble: str, details: str) -> Heard:
    """Find out the newest version from its contract: TensorFlow Serving's status may be unreadable for good.

    It is where the message of a version that failed to load holds bytes that are no text.
    """
    trouble = f"TensorFlow Serving at {server.address} {trouble}"
    try:
        version, _ = read_contract(await server.call(PREDICT, contract_request(name), timeout_s))
    except (CallFailed, InvalidAnswer):
        return Heard(True, None, f"{trouble}.", details)
    newest = VersionReport(version, "available", 0, "")
    return Heard(True, (newest,), f"{trouble}; only its newest version is known.", details, complete=False)
