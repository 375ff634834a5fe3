"""Who serves what: every server is asked again and again, and at once when a call found something changed."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

from pictor_gateway.backends.protocol import ModelStatus, ServedVersion
from pictor_gateway.backends.tensorflow_serving.account import Account
from pictor_gateway.backends.tensorflow_serving.agreement import agree
from pictor_gateway.backends.tensorflow_serving.coalesced import Coalesced
from pictor_gateway.backends.tensorflow_serving.fleet import GRACE_S, Fleet
from pictor_gateway.backends.tensorflow_serving.labels import LabelList
from pictor_gateway.backends.tensorflow_serving.proof import Proven
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.backends.tensorflow_serving.version import FleetVersion
from pictor_gateway.settings import Settings, listed

log = logging.getLogger("pictor.models")

_HASTE_S: Final = 0.2
"""Between two looks while nothing can answer: the gateway is ready soon after its servers are."""

_MOST_LEARNING: Final = 8
"""Labels asked about at once on behalf of requests: a server's threads are for pictures."""

_REFRESH_S: Final = 1.0
"""For all servers to be asked at once; who is slower must not hold up the others."""

_TAKEOVER_S: Final = 2.0
"""More for a version that is being proven, if there is no other."""


class Discovery:
    """Lives on the event loop. `models` is replaced as a whole after every change."""

    def __init__(self, fleet: Fleet, settings: Settings) -> None:
        self.models = tuple(ModelStatus(name, ()) for name in sorted(set(settings.model_names)))
        self.started = asyncio.Event()
        self._fleet = fleet
        self._poll_interval_s = settings.poll_interval_s
        self._timeout_s = settings.tfs_probe_timeout_s
        names = [model.name for model in self.models]
        self._labels = {name: LabelList(listed(settings.version_labels)) for name in names}
        self._refreshes = {name: Coalesced(partial(self._look_everywhere, name)) for name in names}
        self._accounts: dict[Server, dict[str, Account]] = {}
        self._asked: set[Server] = set()
        self._handles: WeakValueDictionary[tuple[str, int, str], FleetVersion] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._learning: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to ask; return at once."""
        self._fleet.on_change(self._meet)
        await self._fleet.start()
        self._meet()
        self._spawn(self._wait_for_names())

    async def close(self) -> None:
        """Ask no more."""
        for refresh in self._refreshes.values():
            refresh.cancel()
        for account in self._all_accounts():
            account.forget()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def account(self, server: Server, name: str) -> Account | None:
        """Return what `server` says about the model `name`, if it was asked."""
        return self._accounts.get(server, {}).get(name)

    async def refresh(self, name: str) -> None:
        """Ask every usable server now; callers at about the same time share one round."""
        if name in self._refreshes:
            await self._refreshes[name]()

    def refresh_soon(self, name: str) -> None:
        """Do the same, and do not wait for it."""
        self._spawn(self.refresh(name))

    async def learn_label(self, name: str, label: str) -> None:
        """Ask every usable server which version has `label`, and go on asking if one has.

        Requests that name the same one share the question; strangers who invent labels get no answer early.
        """
        labels, asking = self._labels.get(name), self._learning.get((name, label))
        if asking is None:
            if labels is None or len(self._learning) >= _MOST_LEARNING or not labels.is_worth_asking(label):
                return
            asking = self._learning[name, label] = self._spawn(self._learn_label(labels, name, label))
            asking.add_done_callback(lambda _: self._learning.pop((name, label)))
        await asyncio.shield(asking)

    async def _learn_label(self, labels: LabelList, name: str, label: str) -> None:
        accounts = [one for one in self._all_accounts(name) if one.server.usable]
        known = await asyncio.gather(*(account.learn_label(label) for account in accounts))
        self._publish()
        if any(known):
            labels.learn(label, {known for account in accounts for known in account.labels})
        else:
            labels.deny(label)

    def _meet(self) -> None:
        """Begin to follow servers that are new; those that left end their own task."""
        for server in self._fleet.servers:
            if server not in self._accounts:
                self._accounts[server] = {
                    name: Account(server, name, self._timeout_s, self._publish) for name in self._labels
                }
                self._spawn(self._follow(server))
        self._publish()

    async def _follow(self, server: Server) -> None:
        while not server.left:
            try:
                await self._ask(server)
            except Exception:  # the follower's own door: one surprise must not end the following for good
                log.exception("asking a server failed", extra={"fields": {"server": server.address}})
            self._asked.add(server)
            self._note_started()
            nothing = not any(model.available for model in self.models)
            await server.until_next_poll(_HASTE_S if nothing else self._poll_interval_s)
            self._publish()  # it may have been ejected meanwhile
        self._asked.discard(server)
        await asyncio.sleep(GRACE_S)  # what it served stays in the list while calls wait for its successor
        for account in self._accounts.pop(server).values():
            account.forget()
        self._publish()

    async def _ask(self, server: Server) -> None:
        """Look at all models of one server; a server that was ejected comes back by its good answers."""
        accounts, ejections = tuple(self._accounts[server].values()), server.ejections
        looks = (account.look(self._labels[account.name].asked) for account in accounts)
        answered = await asyncio.gather(*looks)
        if any(answered) and server.ejections == ejections:
            server.readmit()
        self._publish()

    async def _look_everywhere(self, name: str) -> None:
        accounts = [one for one in self._all_accounts(name) if one.server.usable]
        looks = [self._spawn(_look(account, self._labels[name].asked)) for account in accounts]
        if looks:
            await asyncio.wait(looks, timeout=_REFRESH_S)
        else:  # nobody to ask: only when the wait for a server to come back is over, others may stand in
            await asyncio.sleep(max((account.grace_s for account in self._all_accounts(name)), default=0.0))
        proofs = [proof for account in accounts for proof in account.proofs]
        if proofs and not any(account.has_any for account in accounts):
            await asyncio.wait(proofs, timeout=_TAKEOVER_S, return_when=asyncio.FIRST_COMPLETED)
        for account in accounts:
            account.drop_doubted()
        self._publish()

    async def _wait_for_names(self) -> None:
        await self._fleet.resolved.wait()
        self._note_started()

    def _note_started(self) -> None:
        asked = self._fleet.resolved.is_set() and self._asked.issuperset(self._fleet.servers)
        if asked or all(model.available for model in self.models):
            self.started.set()

    def _publish(self) -> None:
        before = self.models
        self.models = tuple(self._status(model) for model in before)
        for old, new in zip(before, self.models, strict=True):
            _log_changes(old, new)

    def _status(self, before: ModelStatus) -> ModelStatus:
        name = before.name
        status = agree(name, self._all_accounts(name), before, partial(self._handle, name))
        return replace(status, troubles=(*self._fleet.troubles, *status.troubles))

    def _handle(self, name: str, version: int, proven: Proven) -> ServedVersion:
        """Return the version's one object: as long as anyone holds it, it is found again."""
        key = (name, version, proven.digest)
        handle = self._handles.get(key)
        if handle is None:
            self._fleet.make_room(proven.contract)
            handle = FleetVersion(*key[:2], proven.contract, proven.digest, self._fleet, self)
            self._handles[key] = handle
        return handle

    def _all_accounts(self, name: str | None = None) -> Sequence[Account]:
        return [
            account
            for accounts in self._accounts.values()
            for account in accounts.values()
            if name in (None, account.name)
        ]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _look(account: Account, labels: Sequence[str]) -> None:
    await account.look(labels)


def _log_changes(before: ModelStatus, after: ModelStatus) -> None:
    for text, here, there in (("version available", after, before), ("version let go", before, after)):
        known = {(served.version, served.digest) for served in there.available}
        for served in here.available:
            if (served.version, served.digest) not in known:
                fields = {"model": served.name, "version": served.version, "digest": served.digest}
                log.info(text, extra={"fields": fields})
