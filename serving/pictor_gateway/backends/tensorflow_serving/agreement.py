"""What several servers say about one model, as one answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from grpc import StatusCode

from pictor_gateway.backends.protocol import ModelStatus, ServedVersion, VersionState, VersionStatus
from pictor_gateway.backends.tensorflow_serving.account import Account
from pictor_gateway.backends.tensorflow_serving.proof import Proven
from pictor_store.lineage import CANARY, STABLE
from pictor_tfs.messages import VersionReport

Handle = Callable[[int, Proven], ServedVersion]
"""Returns the one object that stands for a version: the same for equal digests."""

_MOST_ENDED: Final = 10
"""Versions of the past that are shown: TensorFlow Serving reports every one it ever had."""

_DIGEST_LETTERS: Final = 12


def agree(name: str, accounts: Sequence[Account], before: ModelStatus, handle: Handle) -> ModelStatus:
    """Return the model's status by the servers that are usable; `before` decides where they are split."""
    usable = [one for one in accounts if one.server.usable] or [one for one in accounts if one.grace_s]
    chosen = _choose(usable, {one.version: one.digest for one in before.available})
    served = {version: handle(version, proven) for version, proven in chosen.items()}
    labels = _labels(usable, served, before.labels)
    return ModelStatus(
        name,
        tuple(_version_statuses(usable, served, _unreachable(accounts))),
        labels=labels,
        preferred=_preferred(usable, served, labels),
        troubles=tuple(one.trouble for one in accounts if one.trouble),
    )


def _choose(accounts: Sequence[Account], before: Mapping[int, str]) -> dict[int, Proven]:
    """Return each version's contract: where one number stands for two models, that of most servers.

    Of equally many, the one that is served already, or that was known first.
    """
    chosen = {}
    for version in {version for one in accounts for version in one.believed}:
        beliefs = [one.believed[version] for one in accounts if version in one.believed]
        votes = Counter(belief.proven.digest for belief in beliefs)
        best = max(
            beliefs,
            key=lambda one: (
                votes[one.proven.digest],
                one.proven.digest == before.get(version),
                -one.since,
            ),
        )
        chosen[version] = best.proven
    return chosen


def _preferred(
    accounts: Sequence[Account], served: Mapping[int, ServedVersion], labels: Mapping[str, int]
) -> int | None:
    """Return the stable version; without one that answers, the newest that half of the servers have.

    A canary is not for everybody: it takes over only where nobody was ever stable and there is nothing else.
    """
    stable = labels.get(STABLE)
    if stable in served:
        return stable
    others = {version: one for version, one in served.items() if version != labels.get(CANARY)}
    if others or stable is None:
        return _newest_of_half(accounts, others or served)
    return stable


def _newest_of_half(accounts: Sequence[Account], served: Mapping[int, ServedVersion]) -> int | None:
    """Return the newest version that at least half of the servers with this model answer.

    While a fleet is updated server by server, all traffic so moves once: when half of it is there to carry
    the load, and not back because one of them lags behind.
    """
    holders = [
        {version for version, one in served.items() if account.serves(version, one.digest)}
        for account in accounts
    ]
    having = [versions for versions in holders if versions]
    for version in sorted(served, reverse=True):
        if 2 * sum(version in versions for versions in having) >= len(having):
            return version
    return max(served, default=None)


def _labels(
    accounts: Sequence[Account], served: Mapping[int, ServedVersion], before: Mapping[str, int]
) -> dict[str, int]:
    """Return the version that most servers give each label; where they are split, the one it had before.

    A label that moves from server to server so moves once for the gateway's callers. It does not move to a
    version that cannot answer while the one it had can.
    """
    found: dict[str, int] = {}
    for label in sorted({label for one in accounts for label in one.labels}):
        votes = Counter(one.labels[label] for one in accounts if label in one.labels)
        earlier = before.get(label)
        stays = () if earlier is None or earlier not in served else (earlier,)
        found[label] = max(
            {*votes, *stays},
            key=lambda version: (version in served, votes[version], version == earlier, version),
        )
    return found


def _version_statuses(
    accounts: Sequence[Account], served: Mapping[int, ServedVersion], unreachable: set[int]
) -> Iterator[VersionStatus]:
    known = {report.version for one in accounts for report in one.reports} | set(served)
    ended = 0
    for version in sorted(known | unreachable, reverse=True):
        if version not in known:
            yield VersionStatus(version, "loading", "No server that has it can be reached.")
            continue
        status = _version_status(version, accounts, served.get(version))
        ended += status.state == "ended"
        if status.state != "ended" or ended <= _MOST_ENDED:
            yield status


def _unreachable(accounts: Sequence[Account]) -> set[int]:
    """Return the versions that answered on servers which may come back with them."""
    away = [one for one in accounts if not one.server.usable and not one.server.left]
    return {version for one in away for version in one.believed}


def _version_status(version: int, accounts: Sequence[Account], served: ServedVersion | None) -> VersionStatus:
    counted = Counter(reason for one in accounts for reason in _reasons(version, one, served))
    # No addresses: whoever may list the models reads this. The log says which server it is.
    reasons = " ".join(
        f"On {count} of {len(accounts)} servers: {reason}" for reason, count in counted.items()
    )
    if served is not None:
        return VersionStatus(version, "available", reasons, served)
    reports = [report for one in accounts for report in one.reports if report.version == version]
    if any(version in one.refused for one in accounts):
        return VersionStatus(version, "refused", reasons)
    return VersionStatus(version, _state(reports), reasons)


def _state(reports: Sequence[VersionReport]) -> VersionState:
    states = {report.state for report in reports}
    if states & {"loading", "available"}:  # available, but its proof is not finished
        return "loading"
    return "unloading" if "unloading" in states else "ended"


def _reasons(version: int, account: Account, served: ServedVersion | None) -> Iterator[str]:
    """Say what is wrong with the version on one server."""
    if version in account.refused:
        yield account.refused[version].reason
    belief = account.believed.get(version)
    if served is not None and belief is not None and belief.proven.digest != served.digest:
        other, ours = belief.proven.digest[:_DIGEST_LETTERS], served.digest[:_DIGEST_LETTERS]
        yield f"another model has this number (contract {other}, most servers have {ours})."
    for report in account.reports:
        if report.version == version and report.state == "ended" and report.error_code:
            yield f"TensorFlow Serving could not load it ({_code_name(report.error_code)})."


def _code_name(number: int) -> str:
    return next((code.name for code in StatusCode if code.value[0] == number), f"error {number}")
