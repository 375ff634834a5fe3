"""What components/monitoring and components/keda ask Prometheus, wherever it is written."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from k8s.known_metrics import Series, known_series
from k8s.queries import check
from k8s.rendering import K8S, of_kind, overlay

MONITORING: Final = K8S / "components" / "monitoring"
RUNBOOK: Final = MONITORING / "runbook.md"
_LABEL_VALUES: Final = re.compile(r"label_values\((.+), (\w+)\)")

Rule = dict[str, Any]


def rule_groups() -> list[dict[str, Any]]:
    """Return the groups of every PrometheusRule that production applies."""
    return [
        group
        for found in of_kind(overlay("production"), "PrometheusRule")
        for group in found["spec"]["groups"]
    ]


def rules() -> list[Rule]:
    """Return every rule, recording or alerting."""
    return [rule for group in rule_groups() for rule in group["rules"]]


def alerts() -> dict[str, Rule]:
    """Return the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as it is committed."""
    loaded: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    return loaded


def generated_dashboard() -> str:
    """Return what the generator prints."""
    command = [sys.executable, "-B", str(MONITORING / "grafana")]  # -B: no cache beside the manifests
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@cache
def known(folder: Path) -> dict[str, Series]:
    """Return every series that a query may name: those that exist, and those that the rules record."""
    found = known_series(folder)
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = Series(check(rule["expr"], found))
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Return where each query stands, and the query."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    yield from _dashboards()
    yield from _scalers()
    yield from _adapters()
    blocks = re.findall(r"```promql\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks, 1):
        yield f"runbook: query {number}", block


def _dashboards() -> Iterator[tuple[str, str]]:
    shown = dashboard()
    for panel in shown["panels"]:
        for target in panel.get("targets", ()):
            yield f"dashboard: {panel['title']}", target["expr"]
    for event in shown["annotations"]["list"]:
        yield f"dashboard: {event['name']}", event["expr"]


def _scalers() -> Iterator[tuple[str, str]]:
    for scaled in of_kind(overlay("production-keda"), "ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "prometheus":
                yield f"ScaledObject {scaled['metadata']['name']}", trigger["metadata"]["query"]


def variables() -> Iterator[tuple[str, str, str]]:
    """Return name, series and label of each choice that the dashboard asks Prometheus for."""
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found is not None, variable["query"]
            yield variable["name"], found[1], found[2]


def _adapters() -> Iterator[tuple[str, str]]:
    for rule in adapter_rules():
        name = rule["name"]["as"]
        yield f"adapter: {name}", rule["seriesQuery"]
        filled = rule["metricsQuery"].replace("<<.Series>>", name).replace("<<.GroupBy>>", "namespace, pod")
        yield f"adapter: {name}", filled.replace("<<.LabelMatchers>>", 'namespace="pictor"')


def adapter_rules() -> list[dict[str, Any]]:
    """Return the rules that prometheus-adapter is to be given."""
    values = yaml.safe_load((MONITORING / "prometheus-adapter.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = values["rules"]["custom"]
    return found
