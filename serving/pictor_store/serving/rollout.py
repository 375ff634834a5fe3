"""TensorFlow Serving brought from what it has to what it is to have, in steps that break no request.

::

    load      versions that are missing are added, labels stay as they are; wait until each answers, proven
    relabel   labels move to versions that every server has: a label cannot name another
    finish    versions that nobody needs are let go

A server may be restarted in the middle; it is told again when it lacks what it had.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic, sleep
from typing import Final

from pictor_store.errors import RolloutFailed
from pictor_store.serving.channel import CallFailed, Server
from pictor_store.serving.models_config import Served
from pictor_store.serving.questions import NotProven, ask_label, ask_versions, prove
from pictor_store.serving.state import ModelState
from pictor_store.serving.survey import Survey, added, followable, relabelled
from pictor_store.serving.telling import Order, StepFailed, Telling
from pictor_tfs.messages import VersionReport

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_TELL_AGAIN_S: Final = 2.0
"""A server that lacks what it was told this long ago was restarted meanwhile, or has read an old file."""
_LINGER_S: Final = 3.0
"""A version that has just lost its last label goes on answering: gateways look at labels every second."""
_UNDO_S: Final = 30.0
_MOST_WORDS: Final = 200

Step = Callable[[ModelState, Survey, Sequence[Server]], Served]
"""What servers are told of one model, by what they have of it."""


class Rollout:
    """One way from what the servers have to what is `wanted`; it fails only for the models in `focus`."""

    def __init__(
        self,
        fleet: Sequence[Server],
        telling: Telling,
        timeout_s: float,
        wanted: Mapping[str, ModelState],
        focus: Collection[str],
    ) -> None:
        self._fleet = fleet
        self._telling = telling
        self._timeout_s = timeout_s
        self._wanted = wanted
        self._focus = sorted(focus)
        self._survey = Survey(fleet)
        self._step: Step = added
        self._told_at = 0.0
        self._said: dict[str, str] = {}
        self._used: dict[str, set[int]] = {}

    def survey(self) -> None:
        """Look at what every server has.

        Raises:
            RolloutFailed: one does not answer; nothing was changed.
        """
        for server in self._fleet:
            try:
                self._survey.look(server, self._wanted.values())
            except CallFailed as failure:
                raise RolloutFailed(
                    f"{failure}. Every server must answer, or they would differ. Nothing was changed."
                ) from failure
        self._used = {name: self._survey.used(name) for name in self._wanted}

    def hopeless(self) -> dict[str, str]:
        """Return the models in focus that a server has failed to load before, with the reason."""
        found = {}
        for server in self._fleet:
            for name, version in self._awaited():
                report = self._survey.report(server, name, version)
                if report is not None and _has_failed(report):
                    found[name] = _failed_text(server, name, report)
        return found

    def leave_out(self, names: Collection[str]) -> None:
        """Wait for these models no more."""
        self._focus = [name for name in self._focus if name not in names]

    def load(self) -> None:
        """Have every server load what it is to have, and prove it.

        Raises:
            StepFailed: one does not.
        """
        self._tell(added)
        self._wait(self._is_loaded, "have the version answer its golden picture")

    def relabel(self) -> None:
        """Move the labels.

        Raises:
            StepFailed: a server does not follow.
        """
        self._wait(self._is_seen, "answer")
        self._tell(relabelled)
        self._wait(self._is_labelled, "let the label name the version")

    def finish(self, last: Mapping[str, ModelState]) -> list[str]:
        """Let go what nobody needs; return what hinders that. No request is hindered."""
        if self._are_just_left(last):
            sleep(_LINGER_S)
        return self._settle(last, self._timeout_s)

    def undo(self, former: Mapping[str, ModelState]) -> str:
        """Tell the servers to be as they were; return what hinders that, or ""."""
        return "; ".join(self._settle(former, min(_UNDO_S, self._timeout_s)))

    def _are_just_left(self, last: Mapping[str, ModelState]) -> bool:
        """Whether a version goes that was asked for until now."""
        served = (state.served for state in last.values())
        return any(
            one.versions is not None and not self._used.get(one.name, set()) <= one.versions for one in served
        )

    def _settle(self, states: Mapping[str, ModelState], timeout_s: float) -> list[str]:
        """Tell them what they can follow; the file gets all, as it is for those that start later."""
        try:
            self._telling.write([state.served for state in states.values()])
            said = self._telling.call(
                [self._order(followable, one, states) for one in self._fleet], timeout_s
            )
        except StepFailed as error:
            return [str(error)]
        return sorted(said.values())

    # Telling, and waiting until they follow

    def _order(self, step: Step, server: Server, states: Mapping[str, ModelState]) -> Order:
        return server, [step(state, self._survey, [server]) for state in states.values()]

    def _tell(self, step: Step) -> None:
        self._step = step
        self._telling.write([step(state, self._survey, self._fleet) for state in self._wanted.values()])
        orders = [self._order(step, server, self._wanted) for server in self._fleet]
        self._said = self._telling.call(orders, self._timeout_s)
        self._told_at = monotonic()

    def _tell_again(self, server: Server) -> None:
        """Tell a server that lacks something the last step again, as it follows from what it has now."""
        if monotonic() - self._told_at < _TELL_AGAIN_S:
            return
        self._told_at = monotonic()
        self._survey.forget(server)
        self._survey.look(server, self._wanted.values())
        order = self._order(self._step, server, self._wanted)
        self._said |= self._telling.call([order], self._timeout_s)

    def _wait(self, holds: Callable[[Server], bool], what: str) -> None:
        end = monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        while behind := [server.address for server in self._fleet if not self._holds(holds, server)]:
            if monotonic() + pause_s > end:
                words = "; ".join(self._said[one] for one in behind if one in self._said)
                raise StepFailed(
                    f"TensorFlow Serving at {', '.join(behind)} did not {what} within {self._timeout_s:g} s"
                    f"{f' ({words})' if words else ''}"
                )
            sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _holds(self, holds: Callable[[Server], bool], server: Server) -> bool:
        try:
            return holds(server)
        except CallFailed as failure:  # it may have been restarted: then it has to prove itself anew
            self._said[server.address] = str(failure)
            self._survey.forget(server)
            return False

    def _awaited(self) -> list[tuple[str, int]]:
        return [
            (name, version)
            for name in self._focus
            for version in sorted(set(self._wanted[name].served.labels.values()))
        ]

    def _is_loaded(self, server: Server) -> bool:
        return all(self._is_proven(server, name, version) for name, version in self._awaited())

    def _is_proven(self, server: Server, name: str, version: int) -> bool:
        reports = ask_versions(server, name)
        report = None if reports is None else reports.get(version)
        if report is not None and _has_failed(report):
            raise StepFailed(_failed_text(server, name, report))
        if reports is not None and (report is None or report.state != "available"):
            if report is None or report.state == "ended":
                self._tell_again(server)
            return False
        key = (server.address, name, version)
        if key not in self._survey.proven:
            try:
                proven = prove(server, name, version, self._wanted[name].contract(version))
            except NotProven as error:
                raise StepFailed(
                    f"TensorFlow Serving at {server.address} says {name}/{version} is available, but {error}"
                ) from error
            if not proven:
                return False
            self._survey.proven.add(key)
        return True

    def _is_seen(self, server: Server) -> bool:
        if not self._is_loaded(server):
            return False
        self._survey.look(server, self._wanted.values())
        return True

    def _is_labelled(self, server: Server) -> bool:
        for name in self._focus:
            for label, version in self._wanted[name].served.labels.items():
                if ask_label(server, name, label) != version:
                    self._tell_again(server)
                    return False
        return True


def _has_failed(report: VersionReport) -> bool:
    return report.state == "ended" and report.error_code != 0


def _failed_text(server: Server, name: str, report: VersionReport) -> str:
    return (
        f"TensorFlow Serving at {server.address} failed to load {name}/{report.version} (code "
        f"{report.error_code}: {report.message[:_MOST_WORDS]}), and tries no number twice: restart it if the "
        "files are right, or publish the model again, which gives it a new number"
    )
