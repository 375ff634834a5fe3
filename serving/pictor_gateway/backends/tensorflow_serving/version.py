"""One version of a model as the rest of the gateway holds it, however many servers have it."""

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ImageContract
from pictor_gateway.backends.protocol import Inference
from pictor_gateway.backends.tensorflow_serving.account import Account
from pictor_gateway.backends.tensorflow_serving.failures import NO_FAULT, CallFailed
from pictor_gateway.backends.tensorflow_serving.fleet import Fleet
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.backends.tensorflow_serving.translation import translated
from pictor_gateway.errors import InferenceFailed, VersionGone
from pictor_gateway.request.deadline import Deadline
from pictor_tfs.messages import (
    PREDICT,
    InvalidAnswer,
    images_request,
    read_scores,
)

log = logging.getLogger("pictor.tfs")


class Accounts(Protocol):
    """Finds what a server says about a model."""

    def account(self, server: Server, name: str) -> Account | None:
        """Return it, if the server was asked."""

    def refresh_soon(self, name: str) -> None:
        """Have every server asked about the model before its next turn."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class FleetVersion:
    """A version that every server with the same number and the same contract answers."""

    name: str
    version: int
    contract: ImageContract
    digest: str
    fleet: Fleet
    accounts: Accounts
    backend: str = "tensorflow_serving"

    @property
    def parallel_calls(self) -> int:
        """As many as the servers that have it can take."""
        return self.fleet.parallel_calls(self._has)

    async def predict(
        self, pictures: NDArray[np.uint8], deadline: Deadline, traceparent: str = ""
    ) -> Inference:
        """Ask the least busy server that has the version; another one, where that is safe and helps."""
        asked = perf_counter()
        request = images_request(self.name, self.version, pictures)
        shunned: frozenset[Server] = frozenset()
        while True:
            answer, server = await self._answer(request, deadline, traceparent, shunned)
            another = not shunned and any(self._has(one) for one in self.fleet.servers if one is not server)
            scores = self._read(answer, len(pictures), server)
            if scores is not None and (np.isfinite(scores).all() or not another):
                return Inference(scores, queued_s=0.0, ran_s=perf_counter() - asked)
            if not another:
                raise InferenceFailed("The model's server answered something that is no score.")
            shunned = frozenset({server})

    def _read(self, answer: bytes, pictures: int, server: Server) -> NDArray[np.float32] | None:
        """Return the scores, None if there are none; what makes no sense counts against the server."""
        account = self.accounts.account(server, self.name)
        try:
            scores = read_scores(answer, pictures, len(self.contract.labels))
        except InvalidAnswer as error:
            fields = {"server": server.address, "reason": str(error)}
            log.error("answer is no score", extra={"fields": fields})  # noqa: TRY400 - the reason says it all
            self._count_against(account)
            return None
        if not np.isfinite(scores).all():
            self._count_against(account)
        elif account is not None:
            account.note_answer(self.version)
        return scores

    async def _answer(
        self, request: bytes, deadline: Deadline, traceparent: str, shunned: frozenset[Server]
    ) -> tuple[bytes, Server]:
        def has(server: Server) -> bool:
            return server not in shunned and self._has(server)

        while True:
            try:
                return await self.fleet.call(PREDICT, request, deadline, has, traceparent, self._note)
            except CallFailed as failure:
                refusal = translated(failure)
                if not isinstance(refusal, VersionGone):
                    raise refusal from failure
                account = self.accounts.account(failure.server, self.name)
                if account is not None:  # the next round asks a server that may have it still
                    account.doubt(self.version)
                if not any(map(has, self.fleet.servers)):
                    raise refusal from failure
                self.accounts.refresh_soon(self.name)

    def _note(self, failure: CallFailed) -> None:
        """Count what speaks against the version; one may be a batch that others have spoilt."""
        if failure.kind == "refused" and failure.code not in NO_FAULT:
            self._count_against(self.accounts.account(failure.server, self.name))

    def _count_against(self, account: Account | None) -> None:
        if account is not None:
            account.note_failure(self.version)

    def _has(self, server: Server) -> bool:
        account = self.accounts.account(server, self.name)
        return account is not None and account.serves(self.version, self.digest)
