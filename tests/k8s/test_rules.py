"""Recording rules and alerts, by promtool: they fire when they should, and are silent when they should be."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.rendering import K8S
from k8s.seeing import RUNBOOK, alerts, rule_groups, rules
from tools import tool

TESTS = sorted((Path(__file__).parent / "promtool").glob("*.yaml"))
SEVERITIES = {"critical", "warning"}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Write the rules as a Prometheus reads them from a file."""
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule_groups()}), encoding="utf-8")
    return path


def _promtool(*arguments: str) -> None:
    done = subprocess.run(
        [tool("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_rules(written: Path) -> None:
    """Syntax, templates, and no rule twice."""
    _promtool("check", "rules", "--lint=all", "--lint-fatal", str(written))


@pytest.mark.parametrize("cases", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_say(cases: Path, written: Path) -> None:
    """Values of recording rules, alerts that come, and alerts that do not."""
    beside = written.parent / cases.name
    beside.write_text(cases.read_text(encoding="utf-8"), encoding="utf-8")
    _promtool("test", "rules", str(beside))


def _alert_cases() -> list[dict[str, Any]]:
    loaded = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in TESTS)
    return [one for file in loaded for test in file["tests"] for one in test.get("alert_rule_test", ())]


def test_every_alert_is_seen_to_come_and_not_to_come() -> None:
    """Both are tested for each of them, and nothing is tested that does not exist."""
    came = {one["alertname"] for one in _alert_cases() if one["exp_alerts"]}
    stayed_away = {one["alertname"] for one in _alert_cases() if not one["exp_alerts"]}
    assert set(alerts()) == came == stayed_away


def test_every_recorded_series_is_named_by_somebody() -> None:
    """A recording rule that no alert, panel or test asks for is work for nothing."""
    texts = [path.read_text(encoding="utf-8") for path in TESTS]
    texts += [rule["expr"] for rule in rules()]
    unread = {
        name for name in (rule.get("record") for rule in rules()) if name and name not in "".join(texts)
    }
    assert set() == unread


def test_every_alert_says_what_to_do() -> None:
    """Severity, a summary, a description with what it saw, and a place in the runbook that exists."""
    anchors = {
        line[3:].strip().lower() for line in RUNBOOK.read_text().splitlines() if line.startswith("## ")
    }
    for name, rule in alerts().items():
        notes = rule["annotations"]
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert notes["summary"].endswith("."), name
        assert "{{" in notes["description"], name
        path, _, anchor = notes["runbook"].partition("#")
        assert (K8S.parent / path) == RUNBOOK, name
        assert anchor in anchors, name


def test_the_runbook_has_no_entry_too_many_and_each_is_whole() -> None:
    """One for each alert: what it means, where to look first, what to do, when to ask others."""
    sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    entries = {text.splitlines()[0].strip(): text for text in sections}
    assert set(alerts()) == set(entries)
    parts = ("**Means.**", "**Look.**", "**Do.**", "**Escalate**")
    assert {} == {name: part for name, text in entries.items() for part in parts if part not in text}


def test_the_accuracy_that_alerts_is_the_gates() -> None:
    """What may not be published must not be served unnoticed: one figure."""
    gate = yaml.safe_load((K8S / "base/retrain/config/retrain.yaml").read_text())["gate"]["min_accuracy"]
    assert f"(pictor_live_accuracy_ratio) < {gate}" in alerts()["PictorLiveAccuracyLow"]["expr"]
