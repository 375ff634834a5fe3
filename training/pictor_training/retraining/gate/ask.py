"""The gate: every check, in order, and the verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract import ContractError
from pictor_contract.artifact import read_contract, verify_manifest
from pictor_contract.signature import TOLERANCE
from pictor_training.retraining.gate.champion import Answers, Champion, ask_champion
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.costs import Costs, cost_checks, measure
from pictor_training.retraining.gate.declared import declared_checks, new_labels
from pictor_training.retraining.gate.engine import Engine
from pictor_training.retraining.gate.paired import Paired, pair
from pictor_training.retraining.gate.pictures import HeldOut, PictureFile
from pictor_training.retraining.gate.regression import class_figures, compare_groups, regression_checks
from pictor_training.retraining.gate.risk import paired_risk, risk_check
from pictor_training.retraining.gate.served import choose_questions, gateway_check
from pictor_training.retraining.gate.standards import (
    calibration_regression,
    new_labels_check,
    standard_checks,
)
from pictor_training.retraining.gate.words import limited, skipped
from pictor_training.verdict import Check, Outcome, Verdict

if TYPE_CHECKING:
    from pictor_training.release import Exported

JUDGED_APART: Final = 0.05
"""Largest difference between the scores that were judged and model.onnx's. A GPU judges with convolutions
rounded to ten bits, so the two are no closer than that there; what does not answer alike is far beyond.
"""


@dataclass(slots=True)
class _Inquiry:
    """What is asked about, and what was found so far."""

    challenger: "Exported"
    config: GateConfig
    held_out: HeldOut
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def verdict(self, champions: Sequence[Champion]) -> Verdict:
        return Verdict(tuple(self.checks), champions[0].version if champions else None, self.figures)


def ask(
    challenger: "Exported",
    champions: Sequence[Champion],
    config: GateConfig,
    picture_file: PictureFile,
) -> Verdict:
    """Judge `challenger` against `champions`: the stable version first, then earlier ones; none at first.

    `picture_file` names the file of a row of `challenger.data`. The same question may be asked again: nothing
    is changed, and what a killed call left behind is swept. Damaged files are checks that object, not errors.

    Raises:
        TrainingError: the gateway could not be asked, so that there is no verdict.
    """
    held_out = HeldOut(challenger.data, challenger.contract.input, picture_file)
    inquiry = _Inquiry(challenger, config, held_out)
    stages = challenger.stages
    versions = f"{len(champions)} version{'' if len(champions) == 1 else 's'}"
    stages.line(f"gate       {len(held_out)} held-out pictures, {versions} to compare with")
    scores = _own_scores(inquiry)
    if scores is None:
        return inquiry.verdict(champions)
    compared = [_compare(inquiry, scores, one, is_stable=not i) for i, one in enumerate(champions)]
    stable = compared[0] if compared else None
    inquiry.checks[1:1] = _own_checks(inquiry, champions, stable)
    inquiry.checks += _costs(inquiry, stable)
    questions = choose_questions(held_out, scores, config.gateway_pictures)
    check, inquiry.figures["gateway"] = gateway_check(
        challenger.run, challenger.artifact, challenger.contract, questions, config
    )
    inquiry.checks.append(check)
    return inquiry.verdict(champions)


def _own_scores(inquiry: _Inquiry) -> NDArray[np.float64] | None:
    """Return what the exported model.onnx says, which is what will be served; None if it is broken."""
    challenger, name = inquiry.challenger, "exported model"
    limit = "whole, and answers as judged"
    try:
        verify_manifest(challenger.artifact)
        if read_contract(challenger.artifact).digest() != challenger.contract.digest():
            inquiry.checks.append(Check(name, "reject", "", limit, "The artifact holds another contract."))
            return None
        pictures = (one for one in inquiry.held_out.pixels(challenger.contract.input) if one is not None)
        scores = Engine(challenger.artifact, challenger.contract).score_all(pictures)
    except ContractError as error:
        inquiry.checks.append(Check(name, "reject", "", limit, f"The artifact is damaged. {error}"))
        return None
    apart = float(np.abs(scores - challenger.judgement.scores).max())
    inquiry.figures["exported"] = {"largest_difference": apart, "tolerance": TOLERANCE}
    outcome: Outcome = "passed" if apart <= JUDGED_APART else "reject"
    reason = (
        f"model.onnx gives held-out pictures scores that differ by up to {apart:.2g} from those that were "
        "judged: it is not the model that was trained."
    )
    measured = f"scores at most {apart:.1g} apart"
    inquiry.checks.append(Check(name, outcome, measured, limit, reason if outcome == "reject" else ""))
    return scores


def _own_checks(inquiry: _Inquiry, champions: Sequence[Champion], stable: Paired | None) -> list[Check]:
    test = inquiry.challenger.judgement.test
    inquiry.figures["held_out"] = test.headline()
    checks = []
    if not champions:
        checks.append(skipped("champion", "There is no stable version yet: only the limits decide."))
    elif champions[0].contract is not None:
        ours, theirs = inquiry.challenger.contract, champions[0].contract
        checks += declared_checks(ours, theirs, inquiry.config)
        checks.append(new_labels_check(test, new_labels(ours, theirs), inquiry.config))
    return [*checks, *standard_checks(test, stable, inquiry.config)]


def _compare(
    inquiry: _Inquiry, scores: NDArray[np.float64], champion: Champion, *, is_stable: bool
) -> Paired | None:
    """Compare with one champion; None where nothing can be compared."""
    try:
        answers = ask_champion(champion, inquiry.held_out)
    except ContractError as error:
        inquiry.checks.append(_unreadable(champion, error, inquiry.config, is_stable=is_stable))
        return None
    paired = pair(inquiry.held_out, inquiry.challenger.contract, scores, answers)
    inquiry.checks += _comparable(paired, inquiry.config, is_stable=is_stable)
    if not len(paired.places):
        return None
    inquiry.checks += regression_checks(paired, inquiry.config)
    check, calibration = calibration_regression(
        inquiry.held_out, inquiry.challenger.contract, scores, paired, inquiry.config
    )
    risk = paired_risk(paired, inquiry.config.max_regression)
    if is_stable:
        inquiry.checks += [risk_check(paired, inquiry.config), check]
    figures = inquiry.figures.setdefault("champions", [])
    figures.append(_figures(inquiry, answers, paired, calibration) | {"risk": asdict(risk)})
    return paired


def _unreadable(champion: Champion, error: ContractError, config: GateConfig, *, is_stable: bool) -> Check:
    name = f"version {champion.version} answers"
    if not is_stable or config.champion_unreadable == "allow":
        return skipped(name, f"Version {champion.version} is damaged and was not compared with. {error}")
    objection = (
        f"The stable version {champion.version} is damaged, so that nobody knows whether this one is better. "
        f"{error} Roll back to a whole one, or set gate.champion_unreadable: allow."
    )
    return limited(name, "readable", "damaged", objection)


def _comparable(paired: Paired, config: GateConfig, *, is_stable: bool) -> list[Check]:
    champion, count = paired.answers.champion, len(paired.places)
    name = f"pictures to compare with version {champion.version}"
    checks = []
    if champion.trained_on is None:
        checks.append(
            skipped(
                f"pictures that version {champion.version} knows by heart",
                "Nobody wrote down what it was trained on: some held-out pictures may count in its favour.",
            )
        )
    if not paired.labels:
        return [*checks, skipped(name, "The two have no label in common.")]
    if count >= config.min_pictures:
        return checks
    told = ", ".join(f"{reason.replace('_', ' ')} {number}" for reason, number in paired.left_out.items())
    reason = f"Only {count} held-out pictures can be compared with version {champion.version} ({told})."
    if is_stable:
        return [*checks, limited(name, f"at least {config.min_pictures}", str(count), reason)]
    return [*checks, skipped(name, reason)]


def _figures(
    inquiry: _Inquiry, answers: Answers, paired: Paired, calibration: dict[str, float]
) -> dict[str, Any]:
    ours, theirs = inquiry.challenger.contract, answers.contract
    return {
        "version": answers.champion.version,
        "recorded": theirs.metrics,
        "compared": len(paired.places),
        "left_out": paired.left_out,
        "new_labels": new_labels(ours, theirs),
        "removed_labels": new_labels(theirs, ours),
        "groups": {name: one.to_dict() for name, one in compare_groups(paired).items()},
        "calibration": calibration,
        "classes": class_figures(paired),
    }


def _costs(inquiry: _Inquiry, stable: Paired | None) -> list[Check]:
    challenger = inquiry.challenger
    versions = [(challenger.artifact, challenger.contract)]
    if stable is not None:
        versions.append((stable.answers.champion.folder, stable.answers.contract))
    try:
        ours, *others = measure(versions)
    except (ContractError, OSError):  # the stable version was withdrawn meanwhile
        ours, *others = measure(versions[:1])
    inquiry.figures["costs"] = {"challenger": ours.to_dict()}
    before: Costs | None = others[0] if others else None
    if before is not None:
        inquiry.figures["costs"]["champion"] = before.to_dict()
    return list(cost_checks(ours, before, inquiry.config))
