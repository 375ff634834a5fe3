"""The verdict at the top of report.html: in words, with its reasons, safe whatever classes are called."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictor_training.report import ReportFacts, write_report
from pictor_training.report.verdicts import SHOWN_CLASSES
from pictor_training.verdict import Check, Verdict

MakeFacts = Callable[..., ReportFacts]
HOSTILE = "<script>alert(1)</script>"


def _side(value: float) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1)}


def _figures(labels: list[str]) -> dict[str, Any]:
    counted = {"pictures": 40, "champion_right": 38, "challenger_right": 34, "lost": 5, "won": 1}
    classes = [
        {"label": label, **counted, "champion": _side(0.9), "challenger": _side(0.9 - place / 100)}
        for place, label in enumerate(labels)
    ]
    champion = {
        "version": 3,
        "recorded": {"accuracy": 0.975},
        "groups": {"known": {**counted, "p_value": 0.0001}, "all": {**counted, "p_value": 0.11}},
        "classes": classes,
    }
    return {"champions": [champion]}


def _verdict(outcome: Any, labels: list[str]) -> Verdict:
    checks = (
        Check("accuracy", "passed", "96.0 %", "at least 90.0 %", ""),
        Check(f"“{HOSTILE}”", outcome, HOSTILE, "none", f"Because of {HOSTILE}."),
        Check("gateway", "skipped", "", "", "Not asked: gate.gateway is false."),
    )
    return Verdict(checks, 3, _figures(labels))


def _text(make_facts: MakeFacts, run: Path, verdict: Verdict | None) -> str:
    facts = make_facts("multiclass", ("cat", "dog", "owl"), verdict=verdict)
    return write_report(run, facts).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("outcome", "decision", "mark"),
    [("passed", "PROMOTE", "✓"), ("hold", "HOLD", "‖"), ("reject", "REJECT", "✕")],
)
def test_the_decision_is_told_in_words_and_marks(
    make_facts: MakeFacts, tmp_path: Path, outcome: str, decision: str, mark: str
) -> None:
    """Before all else, and readable without colours."""
    text = _text(make_facts, tmp_path, _verdict(outcome, ["cat"]))
    assert f'<span class="mark" aria-hidden="true">{mark}</span> {decision}' in text
    assert text.index('id="verdict"') < text.index('id="summary"')
    assert (decision != "PROMOTE") is ("Because of" in text)


def test_checks_groups_and_classes_are_listed(make_facts: MakeFacts, tmp_path: Path) -> None:
    """What was measured beside its limit, the counts of the paired test, and where the champion stood."""
    text = _text(make_facts, tmp_path, _verdict("hold", ["cat", "dog"]))
    told = (
        "at least 90.0 %",
        "Not asked: gate.gateway is false.",
        "&lt; 0.001",
        "0.110",
        "Version 3 answered 97.5\N{NO-BREAK SPACE}% right when it was trained",
        "-1.0",
    )
    assert [] == [one for one in told if one not in text]


def test_names_in_a_verdict_are_text(make_facts: MakeFacts, tmp_path: Path) -> None:
    """Labels come from folders, and so may be markup."""
    text = _text(make_facts, tmp_path, _verdict("reject", [HOSTILE]))
    assert HOSTILE not in text


def test_of_many_classes_the_largest_losses_are_shown(make_facts: MakeFacts, tmp_path: Path) -> None:
    """And how many are not."""
    labels = [f"class number {number}" for number in range(SHOWN_CLASSES + 5)]
    text = _text(make_facts, tmp_path, _verdict("hold", labels))
    assert labels[-1] in text
    assert labels[0] + "<" not in text
    assert "And 5 classes more" in text


def test_a_run_without_a_gate_has_no_verdict(make_facts: MakeFacts, tmp_path: Path) -> None:
    """`pictor train` asks nobody."""
    assert 'id="verdict"' not in _text(make_facts, tmp_path, None)


def test_a_verdict_is_plain_json() -> None:
    """Decision, reasons, checks and figures, for programs."""
    verdict = _verdict("hold", ["cat"])
    told = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert ("HOLD", [f"Because of {HOSTILE}."], 3) == (told["decision"], told["reasons"], told["champion"])
    assert ["passed", "hold", "skipped"] == [check["outcome"] for check in told["checks"]]
