"""Models, versions and their history as lines for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pictor_contract import ImageContract
from pictor_store.lineage import stable_line, version_before
from pictor_store.models.history import Event
from pictor_store.models.model import StoredModel

_GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return columns as wide as what is in them."""
    every = [head, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    return [
        _GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    ]


def overview(model: StoredModel) -> dict[str, Any]:
    """Return what `list` says of a model."""
    return {"name": model.name, "versions": model.versions(), "labels": model.labels()}


def overview_row(facts: dict[str, Any]) -> list[str]:
    """Return it as a row."""
    labels = ", ".join(f"{label}={version}" for label, version in sorted(facts["labels"].items()))
    return [facts["name"], ", ".join(map(str, facts["versions"])), labels or "-"]


def details(model: StoredModel, versions: Sequence[int]) -> dict[str, Any]:
    """Return what `show` says: each version's contract without the golden picture, and the history."""
    events = model.history()
    return {
        "name": model.name,
        "labels": model.labels(),
        "stable_before": version_before(events, model.versions()) if stable_line(events) else None,
        "versions": [{"version": one, **_facts(model.contract(one))} for one in versions],
        "history": [asdict(event) for event in events],
    }


def details_lines(facts: dict[str, Any]) -> list[str]:
    """Return it as tables."""
    named: dict[int, list[str]] = {}
    for label, version in sorted(facts["labels"].items()):
        named.setdefault(version, []).append(label)
    lines = [f"{facts['name']}", ""]
    rows = [_version_row(one, named.get(one["version"], [])) for one in facts["versions"]]
    lines += table(("VERSION", "LABELS", "INPUT", "CLASSES", "METRICS", "DIGEST"), rows)
    if facts["stable_before"] is not None:
        lines.append(f"A rollback goes to version {facts['stable_before']}.")
    events = [_event_row(one) for one in facts["history"]]
    return [*lines, "", *table(("SEQUENCE", "TIME", "ACTION", "VERSION", "LABELS", "BY", "REASON"), events)]


def event_facts(event: Event, *, changed: bool) -> dict[str, Any]:
    """Return what a change says: the event, and whether it is a new one."""
    return {"changed": changed, "event": asdict(event)}


def _facts(contract: ImageContract) -> dict[str, Any]:
    height, width, channels = contract.input.shape
    return {
        "input": {"height": height, "width": width, "channels": channels},
        "head": contract.head,
        "labels": list(contract.labels),
        "metrics": dict(contract.metrics),
        "digest": contract.digest(),
    }


def _version_row(facts: dict[str, Any], labels: Sequence[str]) -> list[str]:
    size = facts["input"]
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in sorted(facts["metrics"].items()))
    return [
        str(facts["version"]),
        ", ".join(labels) or "-",
        f"{size['width']}x{size['height']}x{size['channels']}",
        f"{len(facts['labels'])} {facts['head']}",
        metrics or "-",
        facts["digest"][:12],
    ]


def _event_row(event: dict[str, Any]) -> list[str]:
    labels = ", ".join(f"{label}={version}" for label, version in sorted(event["labels"].items()))
    words = (" ".join(event[one].split()) for one in ("by", "reason"))  # a line stays a line
    return [
        str(event["sequence"]),
        event["at_utc"],
        event["action"],
        str(event["version"]),
        labels or "-",
        *(word or "-" for word in words),
    ]
