"""What one server says about one model, and how far it is believed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.fleet import GRACE_S
from pictor_gateway.backends.tensorflow_serving.proof import NotProven, Proven, prove
from pictor_gateway.backends.tensorflow_serving.questions import MOST_WORDS, Heard, ask_labels, ask_versions
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_tfs.messages import VersionReport

log = logging.getLogger("pictor.models")

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
"""Between two proofs of a version that was refused: a copy that goes on for long is met before it ends."""

_PROVEN_FOR_S: Final = 60.0
"""After which a version is proven again: a process may go wrong while it runs."""

_BUSY_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4)
"""A server under load has a free thread soon, and the new version is wanted now."""

_PROOFS_WAITED_S: Final = 5.0
"""For what is new in one look; a slower proof goes on beside the next looks."""

_UNKNOWN_LABELS_S: Final = 10.0
"""Between two questions for labels that no version has; a request that names one asks at once."""

_FAILURES_IN_A_ROW: Final = 3
"""After which a version is proven again. One may be a batch that others have spoilt."""


@dataclass(slots=True)
class Belief:
    """A version that has proven itself. `doubted_at`: when a call found that the server has it no more."""

    proven: Proven
    since: float = field(default_factory=monotonic)
    proven_at: float = field(default_factory=monotonic)
    failures: int = 0
    doubted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that failed its proof `tries` times."""

    reason: str
    tries: int
    again_at: float


class Account:
    """Lives on the event loop. After each loss of the connection all is proven again, and believed meanwhile.

    A version that the server let go is forgotten only when those that came with the same look were proven:
    so there is no moment between two versions.
    """

    def __init__(self, server: Server, name: str, timeout_s: float, changed: Callable[[], None]) -> None:
        self.server = server
        self.name = name
        self._timeout_s = timeout_s
        self.reports: tuple[VersionReport, ...] = ()
        self.trouble = ""
        self.labels: Mapping[str, int] = {}
        self.believed: dict[int, Belief] = {}
        self.refused: dict[int, Refusal] = {}
        self._changed = changed
        self._proofs: dict[int, asyncio.Task[None]] = {}
        self._begun = 0
        self._applied = 0
        self._absences = self._absences_now
        self._losses = server.losses
        self._labelled: set[int] = set()
        self._all_labels_at = 0.0
        self._lost_at = float("-inf")

    def serves(self, version: int, digest: str) -> bool:
        """Whether the server is believed to answer as this version."""
        belief = self.believed.get(version)
        return belief is not None and belief.doubted_at is None and belief.proven.digest == digest

    async def look(self, labels: Iterable[str]) -> bool:
        """Ask for the versions' states, prove what is new, forget what is gone; False if nobody answered."""
        self._heed_absence()
        self._begun += 1
        number = self._begun
        began = monotonic()
        heard = await ask_versions(self.server, self.name, self._timeout_s)
        self._note_trouble(heard)
        if heard.reports is None:
            if not self.server.usable:
                self.forget()
            self._changed()
            return heard.alive
        reports = heard.reports if heard.complete else self._added(heard.reports)
        available = {report.version for report in reports if report.state == "available"}
        replaced, self._losses = self._losses != self.server.losses, self.server.losses
        for version in available:
            if replaced or self._unproven(version, began) or self._is_old(version):
                self._begin_proof(version)
        await self._finish_proofs()
        due = set(self._labels_due(labels, available))
        found = await ask_labels(self.server, self.name, due, self.labels, self._timeout_s)
        if number > self._applied and self._absences_now == self._absences:
            self._applied = number  # a look that began later knows better
            self._log_not_loaded(reports)
            learnt = {label: to for label, to in self.labels.items() if label not in due}  # meanwhile
            self.reports, self.labels = reports, {**learnt, **found}
            self._keep_only(available, began)
            self._changed()
        return True

    def forget(self) -> None:
        """Doubt everything, and what is asked already: another process may be there next time."""
        self._applied = self._begun
        self.reports, self.refused = (), {}
        for version in self.believed:
            self.doubt(version)
        for proof in self.proofs:
            proof.cancel()
        self._proofs = {}

    async def learn_label(self, label: str) -> bool:
        """Ask which version has `label`, and keep the answer; False if none has."""
        found = await ask_labels(self.server, self.name, (label,), self.labels, self._timeout_s)
        self.labels = {**self.labels, **found}
        return label in found

    def doubt(self, version: int) -> None:
        """Ask the server no more for `version`, until it has proven itself again."""
        if version in self.believed:
            self.believed[version].doubted_at = monotonic()

    def drop_doubted(self) -> None:
        """Forget what is doubted: nobody came to replace it in time."""
        self.believed = {
            version: belief for version, belief in self.believed.items() if belief.doubted_at is None
        }

    def note_answer(self, version: int) -> None:
        """Count a good answer."""
        if version in self.believed:
            self.believed[version].failures = 0

    def note_failure(self, version: int) -> None:
        """Count an answer that speaks against the version; several in a row have it proven again."""
        belief = self.believed.get(version)
        if belief is None:
            return
        belief.failures += 1
        if belief.failures >= _FAILURES_IN_A_ROW:
            belief.failures = 0
            self._begin_proof(version)

    @property
    def grace_s(self) -> float:
        """Seconds for which the server still counts as just lost: a call waits as long for one to come."""
        self._heed_absence()
        return max(0.0, self._lost_at + GRACE_S - monotonic())

    @property
    def has_any(self) -> bool:
        """Whether any version is believed without a doubt."""
        return any(belief.doubted_at is None for belief in self.believed.values())

    @property
    def proofs(self) -> tuple[asyncio.Task[None], ...]:
        """Those under way."""
        return tuple(self._proofs.values())

    def _labels_due(self, labels: Iterable[str], available: set[int]) -> Iterable[str]:
        """Return the labels to ask about now.

        One that the server does not have costs it a failed request, which it counts among its errors.
        """
        if not available:
            return ()
        if available == self._labelled and monotonic() < self._all_labels_at:
            return [label for label in labels if label in self.labels]
        self._labelled, self._all_labels_at = available, monotonic() + _UNKNOWN_LABELS_S
        return labels

    def _added(self, reports: tuple[VersionReport, ...]) -> tuple[VersionReport, ...]:
        news = {report.version for report in reports}
        return (*reports, *(report for report in self.reports if report.version not in news))

    def _heed_absence(self) -> None:
        if self._absences_now != self._absences:
            self._absences = self._absences_now
            self._lost_at = monotonic()
            asyncio.get_running_loop().call_later(GRACE_S, self._changed)
            self.forget()

    @property
    def _absences_now(self) -> int:
        return self.server.ejections + self.server.left

    def _unproven(self, version: int, now: float) -> bool:
        belief, refusal = self.believed.get(version), self.refused.get(version)
        if belief is not None:
            return belief.doubted_at is not None and belief.doubted_at < now
        return refusal is None or refusal.again_at <= now

    def _is_old(self, version: int) -> bool:
        belief = self.believed.get(version)
        return belief is not None and monotonic() - belief.proven_at > _PROVEN_FOR_S

    def _keep_only(self, available: set[int], began: float) -> None:
        self.refused = {version: one for version, one in self.refused.items() if version in available}
        self.believed = {
            version: belief
            for version, belief in self.believed.items()
            if version in available and (belief.doubted_at is None or belief.doubted_at >= began)
        }

    def _begin_proof(self, version: int) -> None:
        if version not in self._proofs:
            proof = asyncio.create_task(self._prove(version), name=f"pictor-proof-{self.name}-{version}")
            self._proofs[version] = proof
            proof.add_done_callback(lambda ended: self._end_proof(version, ended))

    def _end_proof(self, version: int, ended: asyncio.Task[None]) -> None:
        if self._proofs.get(version) is ended:
            del self._proofs[version]

    async def _finish_proofs(self) -> None:
        if self._proofs:
            await asyncio.wait(self.proofs, timeout=_PROOFS_WAITED_S)

    async def _prove(self, version: int) -> None:
        for pause_s in (*_BUSY_PAUSES_S, None):
            absences = self._absences_now
            try:
                proven = await prove(self.server, self.name, version)
            except NotProven as error:
                self._refuse(version, str(error), str(error.__cause__ or ""))
            except CallFailed as failure:
                if failure.kind == "busy" and pause_s is not None:
                    await asyncio.sleep(pause_s)
                    continue
                self._leave_open(version, failure)
            else:
                if self._absences_now == absences:  # else the proof was another process's
                    self._believe(version, proven)
            break
        self._changed()

    def _believe(self, version: int, proven: Proven) -> None:
        before = self.believed.get(version)
        self.refused.pop(version, None)
        if before is not None and before.doubted_at is None and before.proven.digest == proven.digest:
            before.proven_at = monotonic()
            return
        self.believed = {**self.believed, version: Belief(proven)}
        log.info("version proven", extra={"fields": self._fields(version, digest=proven.digest)})

    def _refuse(self, version: int, reason: str, details: str = "") -> None:
        self.believed.pop(version, None)
        before = self.refused.get(version)
        tries = 1 if before is None else before.tries + 1
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(tries - 1, 16), _LONGEST_PAUSE_S)
        self.refused[version] = Refusal(reason, tries, monotonic() + pause_s)
        if before is None or before.reason != reason:
            fields = self._fields(version, reason=reason, details=details[:MOST_WORDS])
            log.error("version refused", extra={"fields": fields})

    def _leave_open(self, version: int, failure: CallFailed) -> None:
        """Keep what is believed; prove what is not at the next look, or later if it kept us waiting."""
        if failure.kind == "late" and version not in self.believed:
            self._refuse(version, "It did not answer its golden example in time.")

    def _note_trouble(self, heard: Heard) -> None:
        if heard.trouble and heard.trouble != self.trouble:
            fields = {"model": self.name, "server": self.server.address, "details": heard.details}
            log.warning(heard.trouble, extra={"fields": fields})
        self.trouble = heard.trouble

    def _log_not_loaded(self, reports: tuple[VersionReport, ...]) -> None:
        for report in set(reports).difference(self.reports):
            if report.state == "ended" and report.error_code:
                fields = self._fields(report.version, details=report.message[:MOST_WORDS])
                log.error("version not loaded", extra={"fields": fields})

    def _fields(self, version: int, **more: str) -> dict[str, object]:
        return {"model": self.name, "version": version, "server": self.server.address, **more}
