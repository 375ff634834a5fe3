"""The changes an operator makes: labels move, servers follow, old versions go.

Each happens or does not. Creating the event in the history is what makes it happen; what the servers have can
be derived from it again at any time (`sync`), after a kill at any point too. Each waits for the model's lock;
whoever wants to wait for another time holds it already.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pictor_store.errors import ChangeRefused, VersionMissing
from pictor_store.lineage import CANARY, STABLE, kept_versions, stable_line, version_before
from pictor_store.models.history import LABEL_RULE, Action, Event, is_label
from pictor_store.models.model import LOCK_WAIT_S, StoredModel
from pictor_store.models.store import ModelStore
from pictor_store.serving.servers import NoServers, Servers

log = logging.getLogger("pictor.store")


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to hold afterwards, and the event that says so."""

    action: Action
    version: int
    labels: Mapping[str, int]
    reason: str
    by: str


def promote(
    model: StoredModel,
    version: int,
    *,
    label: str = STABLE,
    servers: Servers | None = None,
    reason: str = "",
    by: str = "",
) -> Event:
    """Let `label` name `version`, on the servers too; return the event, or the last one if it did already.

    The files are verified first. With servers the label moves only when each has the version AVAILABLE and
    answers its golden picture as recorded. A call for what is already so brings the servers there. The first
    version ever may be stable before there is a server: see `whole.to_be_told`.

    Raises:
        VersionMissing: there is no such version.
        VersionDamaged: its files are not those that were published.
        ChangeRefused: the label is no label, or stable names no version yet.
        RolloutFailed: a server does not follow; all is as before, or the message says what is not.
        StoreLocked: another process changes the model or the servers.
    """
    if not is_label(label):
        raise ChangeRefused(f"A label must be {LABEL_RULE}; received {label!r}.")
    with model.lock():
        model.recover()
        model.verify(version)
        labels = model.labels()
        if label != STABLE and STABLE not in labels:
            raise ChangeRefused(
                f"{model.where}: without the label {STABLE} the newest version answers everything, whatever "
                f"{label} names. Promote a version to {STABLE} first."
            )
        action: Action = "promoted" if label == STABLE else "labelled"
        return _carry_out(
            model, _Change(action, version, _moved(labels, label, version), reason, by), servers
        )


def rollback(model: StoredModel, *, servers: Servers | None = None, reason: str = "", by: str = "") -> Event:
    """Let stable name the version it named before; return the event.

    A second rollback goes one further back, not forth. Versions that were pruned are passed over. An idle
    canary, which names the same version as stable, goes along: it must not try again what was just left.

    Unlike other moves it takes a file without addresses: where no server starts because of the stable
    version, there is nobody to tell. Servers that run keep what they have until restarted; a warning says so.

    Raises:
        ChangeRefused: there is nothing to go back to.
        VersionDamaged: the version to go back to is not whole any more.
        RolloutFailed: a server does not follow; all is as before, or the message says what is not.
        StoreLocked: another process changes the model or the servers.
    """
    with model.lock():
        model.recover()
        events = model.history()
        labels = events[-1].labels if events else {}
        version = version_before(events, model.versions())
        if version is None:
            raise ChangeRefused(_nothing_before(model, events))
        model.verify(version)
        change = _Change("rolled_back", version, _moved(labels, STABLE, version), reason, by)
        return _carry_out(model, change, servers)


def unlabel(
    model: StoredModel, label: str, *, servers: Servers | None = None, reason: str = "", by: str = ""
) -> Event:
    """Take a label away; return the event.

    Raises:
        VersionMissing: there is no such label.
        ChangeRefused: it is stable: then the newest version would answer at once, good or not.
        RolloutFailed: a server does not follow; all is as before, or the message says what is not.
        StoreLocked: another process changes the model or the servers.
    """
    with model.lock():
        model.recover()
        labels = model.labels()
        if label not in labels:
            there = ", ".join(sorted(labels)) or "none"
            raise VersionMissing(f"{model.where} has no label {label!r}. There are: {there}.")
        if label == STABLE:
            raise ChangeRefused(
                f"{model.where}: without {STABLE} the newest version would answer at once, good or not. "
                "Promote another version instead."
            )
        left = {other: version for other, version in labels.items() if other != label}
        return _carry_out(model, _Change("unlabelled", labels[label], left, reason, by), servers)


def sync(store: ModelStore, servers: Servers) -> None:
    """Have the servers and their file follow the histories, which are the truth. Nothing is recorded.

    Raises:
        ChangeRefused: the store has no models.
        RolloutFailed: a server does not follow. The file is right.
        StoreLocked: another process tells the servers something.
    """
    from pictor_store.serving import whole  # noqa: PLC0415 - gRPC only where servers are spoken to

    with whole.alone(store, LOCK_WAIT_S):
        whole.follow(store, servers, store.names())


def prune(
    model: StoredModel, keep: int, *, servers: Servers | None = None, reason: str = "", by: str = ""
) -> list[int]:
    """Remove old versions but the newest `keep`; return those that are gone.

    Never: one with a label, the one a rollback would go to, one that a server still has.

    Raises:
        ChangeRefused: `keep` is less than 1.
        RolloutFailed: a server does not say what it has; nothing was removed.
        StoreLocked: another process changes the model.
    """
    if keep < 1:
        raise ChangeRefused(f"At least one version must be kept; received {keep}.")
    with model.lock():
        model.recover()
        present = model.versions()
        spared = kept_versions(model.history(), present) | set(present[-keep:])
        going = [version for version in present if version not in spared]
        if going and servers is not None and servers.targets:
            from pictor_store.serving.questions import loaded_versions  # noqa: PLC0415 - as above

            going = sorted(set(going) - loaded_versions(servers, model.name))
        for version in going:
            model.remove(version)
            model.record("pruned", version, reason=reason, by=by)
    return going


def _moved(labels: Mapping[str, int], label: str, version: int) -> dict[str, int]:
    moved = {**labels, label: version}
    if label == STABLE and labels.get(CANARY, version) == labels.get(STABLE) and CANARY in labels:
        moved[CANARY] = version
    return moved


def _nothing_before(model: StoredModel, events: list[Event]) -> str:
    line = stable_line(events)
    if not line:
        return f"{model.where}: no version was ever promoted to {STABLE}, so there is nothing to go back to."
    gone = sorted(set(line[:-1]) - {line[-1]})
    past = f"version {', '.join(map(str, gone))} was removed" if gone else "it never named another"
    return (
        f"{model.where}: {STABLE} names version {line[-1]}, and there is nothing to go back to: {past}. "
        "Promote a version by its number."
    )


def _carry_out(model: StoredModel, change: _Change, servers: Servers | None) -> Event:
    before = model.last_event()
    unchanged = before is not None and before.labels == dict(change.labels)

    def record() -> Event:
        if before is not None and unchanged:
            return before
        sequence = 0 if before is None else before.sequence
        return model.record(
            change.action, change.version, change.labels, change.reason, change.by, expected=sequence
        )

    if not servers:
        return record()
    from pictor_store.serving import whole  # noqa: PLC0415 - gRPC only where servers are spoken to
    from pictor_store.serving.state import state_of, states_of  # noqa: PLC0415 - as above

    store = ModelStore(model.place)
    former = {} if before is None else before.labels

    def give_up() -> Event:
        return model.record("failed", change.version, former, f"{change.action} was undone", change.by)

    with whole.alone(store, LOCK_WAIT_S):
        try:
            told = whole.to_be_told(store, servers)
        except NoServers as error:
            if change.action != "rolled_back":
                raise
            raise _way_back(error, servers) from error
        if not told.targets:
            _check_alone(model, former, change)
            return whole.record_alone(store, told, record)
        wanted = {**states_of(store), model.name: state_of(model, change.labels)}
        return whole.carry_out(store, told, wanted, model.name, record, give_up)


def _way_back(error: NoServers, servers: Servers) -> NoServers:
    if servers.config_file is None:
        return error
    return NoServers(
        f"{error} If none gets ready because of the stable version itself, run it without --tfs, with "
        f"--models-config {servers.config_file} alone, and restart them: they begin with that file."
    )


def _check_alone(model: StoredModel, former: Mapping[str, int], change: _Change) -> None:
    """Refuse to move a label by the file alone, or warn of it where it is the way back."""
    if all(former.get(label, version) == version for label, version in change.labels.items()):
        return
    if change.action != "rolled_back":
        raise ChangeRefused(
            f"{model.where}: a label can only move to a version that TensorFlow Serving has loaded, and a "
            "file alone does not tell. Say where the servers are (--tfs) beside their file."
        )
    log.warning(
        "no TensorFlow Serving was told: each serves what it has until it is restarted, and then begins with "
        "its models.config"
    )
