"""The dashboard is what the code makes, and what Grafana can show."""

import json
from itertools import combinations
from typing import Any

from k8s.rendering import of_kind, overlay
from k8s.seeing import dashboard, generated_dashboard

MOST_BYTES = 262_144
"""`kubectl apply` keeps the object as an annotation, and an object's annotations may not be larger."""

UNITS = {"bytes", "ops", "percent", "percentunit", "reqps", "s", "short"}


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = dashboard()["panels"]
    return panels


def test_the_dashboard_is_what_the_code_makes() -> None:
    """Whoever edits one of them only is told."""
    assert json.loads(generated_dashboard()) == dashboard()


def test_grafana_finds_it_and_kubectl_takes_it() -> None:
    """The label that the sidecar looks for, and a size that fits into an annotation."""
    (found,) = [
        one
        for one in of_kind(overlay("production"), "ConfigMap")
        if one["metadata"]["name"] == "pictor-dashboard"
    ]
    assert "1" == found["metadata"]["labels"]["grafana_dashboard"]
    assert dashboard() == json.loads(found["data"]["pictor.json"])
    assert len(json.dumps(found).encode()) < MOST_BYTES


def test_panels_have_their_own_number_and_place() -> None:
    """Ids are unique; nothing lies over anything else or beyond the edge."""
    panels = _panels()
    assert len(panels) == len({panel["id"] for panel in panels})
    places = [panel["gridPos"] for panel in panels]
    assert all(0 <= place["x"] and place["x"] + place["w"] <= 24 for place in places)
    assert [] == [(one, other) for one, other in combinations(places, 2) if _overlap(one, other)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


def test_every_panel_can_be_read() -> None:
    """A title of its own, a sentence, a unit, queries with letters of their own."""
    panels = [panel for panel in _panels() if panel["type"] != "row"]
    assert len(panels) == len({panel["title"] for panel in panels})
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)), panel["title"]


def test_no_data_source_is_anybodys_own() -> None:
    """Panels, queries, choices and events ask the source that was chosen above."""
    shown = dashboard()
    asking = [*shown["annotations"]["list"]]
    asking += [one for one in shown["templating"]["list"] if one["type"] == "query"]
    asking += [panel for panel in shown["panels"] if panel["type"] != "row"]
    asking += [target for panel in shown["panels"] for target in panel.get("targets", ())]
    assert {"${datasource}"} == {one["datasource"]["uid"] for one in asking}
    assert ["datasource", "namespace", "model"] == [one["name"] for one in shown["templating"]["list"]]


def test_every_query_keeps_to_the_chosen_namespace() -> None:
    """Another installation's figures are not shown beside ours."""
    targets = [target["expr"] for panel in _panels() for target in panel.get("targets", ())]
    assert [] == [expr for expr in targets if '"$namespace"' not in expr]
