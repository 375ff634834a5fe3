"""A change of labels carried out on the servers and in the history: all of it, or nothing."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from pictor_store.errors import ChangeRefused, RolloutFailed, StoreError
from pictor_store.lineage import STABLE
from pictor_store.models.history import Event
from pictor_store.models.reported import reported
from pictor_store.models.store import ModelStore
from pictor_store.serving.channel import connected
from pictor_store.serving.models_config import make_config, read_others, write_config
from pictor_store.serving.rollout import Rollout
from pictor_store.serving.servers import NoServers, Servers, base_path_of
from pictor_store.serving.state import ModelState, states_of
from pictor_store.serving.telling import StepFailed, Telling

log = logging.getLogger("pictor.store")

_LOCK: Final = ".servers.lock"
"""Of the whole store: a configuration names all its models, so two changes at once would undo each other."""

_STOPS: Final = (StepFailed, StoreError, OSError, KeyboardInterrupt)
"""What ends a change that has begun; whatever it is, the servers are told to be as they were."""

States = Mapping[str, ModelState]


@contextmanager
def alone(store: ModelStore, wait_s: float) -> Iterator[None]:
    """Be the only one who tells servers what to have of this store.

    Raises:
        StoreLocked: another process was all the time.
    """
    with ExitStack() as stack:
        with reported(f"{store.where} cannot be changed"):
            stack.enter_context(store.place.lock(_LOCK, wait_s))
        yield


def to_be_told(store: ModelStore, servers: Servers) -> Servers:
    """Return whom to tell: all of them, or their file alone where there cannot be any server yet.

    That is when DNS knows no address of any, and no version of any model was ever stable: they wait for their
    first configuration. Later the same silence means that servers are down, and hides what they have.

    Raises:
        NoServers: no server is ready, and there have been some.
        RolloutFailed: a name has no address, or nobody tells it.
        StoreError: the store cannot be read.
    """
    if not servers.targets:
        return servers
    try:
        servers.found()
    except NoServers as error:
        if _was_ever_stable(store):
            raise
        fields = {"reason": str(error), "models_config": str(servers.config_file)}
        log.warning(
            "no TensorFlow Serving is there yet, and no version was ever stable: a server that starts "
            "takes the first one from its models.config",
            extra={"fields": fields},
        )
        return replace(servers, addresses=())
    return servers


def _was_ever_stable(store: ModelStore) -> bool:
    return any(STABLE in event.labels for name in store.names() for event in store.model(name).history())


def carry_out(
    store: ModelStore,
    servers: Servers,
    wanted: States,
    focus: str,
    record: Callable[[], Event],
    give_up: Callable[[], Event],
) -> Event:
    """Have every server follow, with the event that `record` makes between loading and relabelling.

    `give_up` records that it failed, and takes the labels back if they had moved.

    Raises:
        RolloutFailed: a server does not follow. All were told to be as before; the message says how far.
    """
    former = states_of(store)
    with _on_the_way(store, servers, wanted, [focus]) as rollout:
        rollout.survey()
        for reason in rollout.hopeless().values():
            raise RolloutFailed(f"{reason}. Nothing was changed.")
        try:
            rollout.load()
            event = record()
            rollout.relabel()
        except _STOPS as error:
            trouble = _undo(rollout, former, give_up)
            if isinstance(error, KeyboardInterrupt):
                raise
            raise RolloutFailed(f"{str(error).rstrip('.')}. {trouble}") from error
        for hindrance in rollout.finish(states_of(store)):
            log.warning("old versions may stay loaded", extra={"fields": {"reason": hindrance}})
    return event


def follow(store: ModelStore, servers: Servers, focus: Collection[str]) -> None:
    """Have every server follow the history as it is.

    Raises:
        ChangeRefused: the store has no models: it may have been lost for a while.
        RolloutFailed: one does not. The others do, and the file is right.
    """
    wanted = states_of(store)
    if not wanted:
        raise ChangeRefused(f"{store.where} has no models: there is nothing to serve.")
    try:
        servers = to_be_told(store, servers)
    except NoServers:  # they may be waiting for the very file: a kill can have come before it was written
        write_alone(store, servers, wanted)
        raise
    if not servers.targets:
        write_alone(store, servers, wanted)
        return
    with _on_the_way(store, servers, wanted, focus) as rollout:
        rollout.survey()
        troubles = rollout.hopeless()
        rollout.leave_out(troubles)
        words = list(troubles.values())
        try:
            rollout.load()
            rollout.relabel()
        except StepFailed as error:
            words.append(str(error))
        words += rollout.finish(wanted)
    if words:
        raise RolloutFailed(f"{'; '.join(words)}. All else follows the history.")


def record_alone(store: ModelStore, servers: Servers, record: Callable[[], Event]) -> Event:
    """Make the event and write the file, for servers that start with it later; nobody is told.

    Raises:
        StoreError: the file has what would be lost; nothing was recorded.
        RolloutFailed: it cannot be written, and the event stands.
    """
    states = states_of(store)
    if servers.config_file is not None:
        read_others(servers.config_file, states, base_path_of(servers, store.where))
    event = record()
    try:
        write_alone(store, servers, states_of(store))
    except StoreError as error:
        raise RolloutFailed(
            f"{error} The history has changed all the same: do not repeat the command, but let the file "
            "follow with `pictor models sync`."
        ) from error
    return event


def write_alone(store: ModelStore, servers: Servers, states: States) -> None:
    """Write the file for servers that start with it later.

    Raises:
        StoreError: it cannot be written, or what is in it would be lost.
    """
    if servers.config_file is not None:
        base_path = base_path_of(servers, store.where)
        others = read_others(servers.config_file, states, base_path)
        served = [state.served for state in states.values()]
        write_config(servers.config_file, make_config(served, base_path, others))


@contextmanager
def _on_the_way(
    store: ModelStore, servers: Servers, wanted: States, focus: Collection[str]
) -> Iterator[Rollout]:
    base_path = base_path_of(servers, store.where)
    others = [] if servers.config_file is None else read_others(servers.config_file, wanted, base_path)
    telling = Telling(base_path, servers.config_file, others)
    with connected(servers) as fleet:
        yield Rollout(fleet, telling, servers.timeout_s, wanted, focus)


def _undo(rollout: Rollout, former: States, give_up: Callable[[], Event]) -> str:
    """Take all back, in the history too; return what came of it."""
    trouble = rollout.undo(former)
    try:
        give_up()
    except StoreError as error:
        trouble = f"{trouble}; {error}".removeprefix("; ")
    if trouble:
        return f"It could not be undone everywhere: {trouble.rstrip('.')}. Run `pictor models sync`."
    return "The servers were told to be as before, and the labels are."
