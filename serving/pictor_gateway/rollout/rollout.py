"""Which requests the canaries answer, and how they do: judged by each process for itself."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pictor_gateway.backends.protocol import Backend, ModelStatus, ServedVersion
from pictor_gateway.errors import InferenceFailed
from pictor_gateway.inference.pipeline import Recognised, Refusal
from pictor_gateway.learning_settings import LearningSettings
from pictor_gateway.request.observer import Answered
from pictor_gateway.rollout.share import is_within
from pictor_gateway.rollout.trial import Rules, Trial
from pictor_gateway.telemetry.metrics import Metrics
from pictor_store.lineage import CANARY

log = logging.getLogger("pictor.rollout")


@dataclass(frozen=True, slots=True)
class CanaryState:
    """What one process knows of a model's canary, for operators. `reason`: why it is not active."""

    share: float
    active: bool
    reason: str
    pictures: int
    agreement: float | None


def rollout_from(settings: LearningSettings, backend: Backend, metrics: Metrics) -> "Rollout | None":
    """Return what the settings ask for; None where no canary is asked, so that no request pays for it."""
    if settings.canary_share == 0 and settings.shadow_share == 0:
        return None
    return Rollout(settings, backend, metrics)


class Rollout:
    """One trial for each model with a canary beside the version that is meant. Used on the event loop only.

    A canary that was taken out stays out until its label names another version, or the process restarts: not
    because nobody was told its labels for a moment.
    """

    def __init__(self, settings: LearningSettings, backend: Backend, metrics: Metrics) -> None:
        self._share = settings.canary_share
        self._key_header = settings.canary_key_header.lower()
        self._rules = Rules(
            settings.canary_min_pictures,
            settings.canary_max_error_ratio,
            settings.canary_max_latency_ratio,
            settings.canary_min_agreement,
        )
        self._backend = backend
        self._metrics = metrics.learning
        self._trials: dict[str, Trial] = {}
        self._named: dict[str, Trial] = {}
        self._under_way: dict[str, Trial] = {}
        self._seen: Sequence[ModelStatus] = ()

    def beside(self, served: ServedVersion) -> Trial | None:
        """Return the trial of a canary that gets traffic beside `served`, which answers meanwhile."""
        self._follow()
        trial = self._under_way.get(served.name)
        if trial is None or trial.breach is not None or trial.stable != served.version:
            return None
        return trial

    def chooses_canary(self, model: str, headers: Mapping[str, str], request_id: str) -> bool:
        """Whether the canary answers this session, or this request where it belongs to none."""
        return self._share > 0 and is_within(self._share, model, headers.get(self._key_header) or request_id)

    def tried_canary(self, answered: Answered) -> bool:
        """Whether the canary was asked before another version answered."""
        return answered.chosen and self.chooses_canary(
            answered.served.name, answered.headers, answered.request_id
        )

    def states(self) -> dict[str, CanaryState]:
        """Return the state of each model's canary, by the model's name."""
        self._follow()
        return {name: self._state(trial) for name, trial in self._named.items()}

    def withdrawn(self) -> list[str]:
        """Name the canaries that were taken out, one line each."""
        self._follow()
        return [
            f"{name}/{trial.canary.version} gets no canary traffic. {trial.breach.reason}"
            for name, trial in self._named.items()
            if trial.breach is not None
        ]

    def note_answer(
        self, served: ServedVersion, outcomes: Sequence[Recognised | Refusal], seconds: float
    ) -> None:
        """Count what a version answered that was no canary's turn, and compare its canary with it."""
        self.count(served, outcomes, seconds)
        trial = self.beside(served)
        if trial is not None and any(isinstance(one, Recognised) for one in outcomes):
            trial.note_stable(seconds)

    def count(self, served: ServedVersion, outcomes: Sequence[Recognised | Refusal], seconds: float) -> None:
        """Count what a version made of a request's pictures."""
        answered = sum(isinstance(one, Recognised) for one in outcomes)
        failed = sum(isinstance(one, InferenceFailed) for one in outcomes)
        if answered or failed:
            self._metrics.version_duration.labels(served.name, str(served.version)).observe(seconds)
        self._count_pictures(served, "answered", answered)
        self._count_pictures(served, "failed", failed)

    def count_failed(self, served: ServedVersion, pictures: int) -> None:
        """Count a request that a version could not answer at all."""
        self._count_pictures(served, "failed", pictures)

    def count_rescue(self, canary: ServedVersion) -> None:
        """Count a request that stable answered in the canary's place."""
        self._metrics.canary_rescues.labels(canary.name, str(canary.version)).inc()

    def count_mirrored(self, canary: ServedVersion, result: str, pictures: int) -> None:
        """Count mirrored pictures: agree, disagree, failed or skipped."""
        if pictures:
            self._metrics.shadowed.labels(canary.name, str(canary.version), result).inc(pictures)

    def _count_pictures(self, served: ServedVersion, result: str, pictures: int) -> None:
        if pictures:
            self._metrics.version_pictures.labels(served.name, str(served.version), result).inc(pictures)

    def _follow(self) -> None:
        """Bring the trials in line with the models and their labels."""
        models = self._backend.models()
        if models is self._seen:  # asked by every request
            return
        self._seen = models
        before, self._named, self._under_way = self._under_way, {}, {}
        for model in models:
            self._follow_one(model)
        for name in {*before, *self._under_way}:
            old, new = before.get(name), self._under_way.get(name)
            if old is not new:
                self._show(old, active=False)
                self._show(new, active=new is not None and new.breach is None)

    def _follow_one(self, model: ModelStatus) -> None:
        """Find the trial of the version that is canary beside another one; begin one where it is new."""
        canary, stable = _canary_of(model), _meant_by_none(model)
        trial = self._trials.get(model.name)
        if canary is not None and stable not in (None, canary.version):
            trial = self._under_way[model.name] = self._trial(trial, canary, stable)
        if trial is not None and model.labels.get(CANARY) == trial.canary.version != stable:
            self._named[model.name] = trial

    def _trial(self, known: Trial | None, canary: ServedVersion, stable: int) -> Trial:
        same = known is not None and _is_same(known.canary, canary)
        if known is None or not same or (known.breach is None and known.stable != stable):
            known = self._trials[canary.name] = Trial(canary, stable, self._rules, self._withdraw)
        known.canary, known.stable = canary, stable
        return known

    def _withdraw(self, trial: Trial) -> None:
        canary, breach = trial.canary, trial.breach
        if (
            breach is None or self._trials.get(canary.name) is not trial
        ):  # its label means another one already
            return
        fields = {"model": canary.name, "version": canary.version, "reason": breach.reason}
        log.warning("canary withdrawn", extra={"fields": fields})
        self._metrics.canary_breaches.labels(canary.name, str(canary.version), breach.kind).inc()
        self._show(trial, active=False)

    def _show(self, trial: Trial | None, *, active: bool) -> None:
        if trial is not None:
            version = str(trial.canary.version)
            self._metrics.canary_active.labels(trial.canary.name, version).set(active)

    def _state(self, trial: Trial) -> CanaryState:
        away = self._under_way.get(trial.canary.name) is not trial
        reason = "It or the stable version cannot answer now." if away else ""
        return CanaryState(
            share=self._share,
            active=trial.breach is None and not away,
            reason=reason if trial.breach is None else trial.breach.reason,
            pictures=trial.pictures,
            agreement=trial.agreement,
        )


def _canary_of(model: ModelStatus) -> ServedVersion | None:
    version = model.labels.get(CANARY)
    return next((one for one in model.available if one.version == version), None)


def _meant_by_none(model: ModelStatus) -> int | None:
    """Return the version that answers requests which name none, if it can."""
    versions = [one.version for one in model.available]
    return model.meant if versions and model.meant in versions else None


def _is_same(one: ServedVersion, other: ServedVersion) -> bool:
    return (one.version, one.digest) == (other.version, other.digest)
