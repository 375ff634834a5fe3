"""What all servers have of all models, and which configurations lead from there to what they are to have."""

from collections.abc import Iterable, Sequence

from pictor_store.serving.channel import Server
from pictor_store.serving.models_config import Served
from pictor_store.serving.questions import Had, ask_all
from pictor_store.serving.state import ModelState
from pictor_tfs.messages import VersionReport


class Survey:
    """What was seen at the last look; a version that has proven itself counts as there."""

    def __init__(self, fleet: Sequence[Server]) -> None:
        self._fleet = fleet
        self._had: dict[tuple[str, str], Had] = {}
        self.proven: set[tuple[str, str, int]] = set()
        """Server's address, model and version."""

    def look(self, server: Server, states: Iterable[ModelState]) -> None:
        """Ask one server about every model.

        Raises:
            CallFailed: it does not answer.
        """
        for state in states:
            self._had[server.address, state.name] = ask_all(server, state.name, state.labels_known)

    def report(self, server: Server, name: str, version: int) -> VersionReport | None:
        """Return what a server said of a version, if anything."""
        reports = self._seen(server, name).reports
        return None if reports is None else reports.get(version)

    def forget(self, server: Server) -> None:
        """Believe nothing of it any more: another process may answer there."""
        self.proven = {one for one in self.proven if one[0] != server.address}

    def has(self, server: Server, name: str, version: int) -> bool:
        """Whether a server answers as this version."""
        return (server.address, name, version) in self.proven or self._seen(server, name).has(version)

    def all_have(self, servers: Iterable[Server], name: str, version: int) -> bool:
        """Whether all these servers do."""
        return all(self.has(server, name, version) for server in servers)

    def used(self, name: str) -> set[int]:
        """Return the versions that a gateway may be asking for: those with a label, or else the newest."""
        found: set[int] = set()
        for server in self._fleet:
            had = self._seen(server, name)
            answering = [number for number in had.reports or () if had.has(number)]
            found |= {*had.labels.values()} or {*sorted(answering)[-1:]}
        return found

    def named_by(self, servers: Sequence[Server], name: str, label: str) -> list[int]:
        """Return what a label names, on each of the servers that has it."""
        labels = (self._seen(server, name).labels for server in servers)
        return [given[label] for given in labels if label in given]

    def _seen(self, server: Server, name: str) -> Had:
        """Return what a server had of a model; of one that was published since, nothing."""
        return self._had.get((server.address, name), Had({}, {}))


def added(state: ModelState, survey: Survey, servers: Sequence[Server]) -> Served:
    """Return what these servers have and what is wanted beside it; labels stay as they are.

    Where they differ, what all of them can follow comes before what one of them has.
    """
    if state.served.versions is None:
        return state.served
    name = state.name
    here = {one for one in state.present if any(survey.has(server, name, one) for server in servers)}
    labels = {}
    for label in state.labels_known:
        possible = [one for one in survey.named_by(servers, name, label) if one in here]
        if possible:
            labels[label] = next(
                (one for one in possible if survey.all_have(servers, name, one)), possible[0]
            )
    return Served(name, state.served.versions | here, labels)


def relabelled(state: ModelState, survey: Survey, servers: Sequence[Server]) -> Served:
    """Return the same versions with the labels that are wanted, as far as all these servers can follow."""
    before = added(state, survey, servers)
    labels = {
        label: version if survey.all_have(servers, state.name, version) else before.labels.get(label)
        for label, version in state.served.labels.items()
    }
    known = {label: version for label, version in labels.items() if version is not None}
    return Served(before.name, before.versions, known)


def followable(state: ModelState, survey: Survey, servers: Sequence[Server]) -> Served:
    """Return what is wanted; a label that cannot follow stays where it is, and its version with it."""
    if state.served.versions is None:
        return state.served
    labels = relabelled(state, survey, servers).labels
    return Served(state.name, state.served.versions | set(labels.values()), labels)
