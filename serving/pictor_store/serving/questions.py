"""What one server has of a model, and whether a version of it is the one that is in the store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grpc import StatusCode

from pictor_contract import ContractError, ImageContract
from pictor_contract.golden import check_golden, golden_pixels
from pictor_store.errors import RolloutFailed
from pictor_store.serving.channel import CallFailed, Server, connected
from pictor_store.serving.servers import Servers
from pictor_tfs.messages import (
    MODEL_STATUS,
    PREDICT,
    InvalidAnswer,
    VersionReport,
    contract_request,
    images_request,
    read_contract,
    read_scores,
    read_status,
    status_request,
)

_NO_TIME = frozenset({StatusCode.RESOURCE_EXHAUSTED, StatusCode.DEADLINE_EXCEEDED})
_LATER = _NO_TIME | {StatusCode.NOT_FOUND}
"""Answers that say nothing of the version itself: it is just going, or the server has no time."""


class NotProven(Exception):
    """A version is available, and is not the one in the store; the message says how it differs."""


@dataclass(frozen=True, slots=True)
class Had:
    """What a server has of a model. `reports` None: it could not say, as after some failed loads."""

    reports: Mapping[int, VersionReport] | None
    labels: Mapping[str, int]

    def has(self, version: int) -> bool:
        """Whether it answers as this version."""
        if self.reports is None:
            return version in self.labels.values()
        report = self.reports.get(version)
        return report is not None and report.state == "available"


def ask_versions(server: Server, name: str) -> dict[int, VersionReport] | None:
    """Return the versions a server knows of, whatever their state; None if it cannot say.

    Raises:
        CallFailed: it does not answer.
    """
    try:
        reports = read_status(server.ask(MODEL_STATUS, status_request(name)))
    except InvalidAnswer:
        return None
    except CallFailed as failure:
        if failure.code is StatusCode.NOT_FOUND:
            return {}
        if failure.code in (StatusCode.INTERNAL, StatusCode.UNKNOWN):
            return None
        raise
    return {report.version: report for report in reports}


def ask_label(server: Server, name: str, label: str) -> int | None:
    """Return which version a label names on a server; None if it names none that answers.

    Raises:
        CallFailed: it does not answer.
    """
    try:
        return read_contract(server.ask(PREDICT, contract_request(name, label=label)))[0]
    except InvalidAnswer:
        return None
    except CallFailed as failure:
        if failure.is_away or failure.code in _NO_TIME:
            raise  # that it did not say is no reason to take the label away
        return None


def ask_all(server: Server, name: str, labels: Iterable[str]) -> Had:
    """Return what a server has of a model, with those of `labels` that it knows.

    Raises:
        CallFailed: it does not answer.
    """
    reports = ask_versions(server, name)
    if reports is not None and not any(report.state == "available" for report in reports.values()):
        return Had(reports, {})
    found = ((label, ask_label(server, name, label)) for label in sorted(labels))
    return Had(reports, {label: version for label, version in found if version is not None})


def prove(server: Server, name: str, version: int, contract: ImageContract) -> bool:
    """Whether a version answers its golden picture as recorded, with the store's contract; False: not yet.

    Raises:
        NotProven: it answers, and is another one or not whole. AVAILABLE is no proof.
        CallFailed: nobody answers.
    """
    try:
        answered, text = read_contract(server.ask(PREDICT, contract_request(name, version=version)))
        told = ImageContract.from_json(text)
        if (answered, told.digest()) != (version, contract.digest()):
            raise NotProven(f"it answers as version {answered} with another contract than the store's")
        answer = server.ask(PREDICT, images_request(name, version, golden_pixels(contract)))
        check_golden(contract, read_scores(answer, 1, len(contract.labels)))
    except (InvalidAnswer, ContractError) as error:
        raise NotProven(str(error)) from error
    except CallFailed as failure:
        if failure.is_away:
            raise
        if failure.code in _LATER:
            return False
        raise NotProven(f"it is reported as available and answers with {failure.code.name}") from failure
    return True


def loaded_versions(servers: Servers, name: str) -> set[int]:
    """Return the versions of a model that a server has, or is about to have or to let go.

    Raises:
        RolloutFailed: one does not say.
    """
    found: set[int] = set()
    with connected(servers) as fleet:
        for server in fleet:
            try:
                reports = ask_versions(server, name)
            except CallFailed as failure:
                raise RolloutFailed(f"{failure}. It must say what it has. Nothing was removed.") from failure
            if reports is None:
                raise RolloutFailed(
                    f"TensorFlow Serving at {server.address} does not tell its versions of {name}. Restart "
                    "it. Nothing was removed."
                )
            found |= {version for version, report in reports.items() if report.state != "ended"}
    return found
