"""A Grafana dashboard from rows of panels: what it shows is said, where it stands is worked out.

Grafana's own SDK for Python is not used: its releases carry Grafana's generations after an epoch of the time
they were built at, so that "at least this version" picks one by chance. Of its model we need this much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Json = dict[str, Any]
"""An object as Grafana reads it."""

COLUMNS: Final = 24
"""Width of a dashboard, in Grafana's units."""

_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
"""The data source that the variable names: a fixed uid would be another installation's."""

Kind = Literal["timeseries", "stat", "table", "bargauge"]


@dataclass(frozen=True)
class Query:
    """One line of PromQL and what its series are called. Several may share a panel."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture. `unit` is one of Grafana's; `limit` is drawn as a line and colours figures beyond it."""

    title: str
    queries: Sequence[Query]
    unit: str
    about: str
    kind: Kind = "timeseries"
    width: int = 8
    limit: float | None = None
    stacked: bool = False
    most: float | None = None
    bad_below: bool = False

    @property
    def height(self) -> int:
        """In Grafana's units: figures need less than curves."""
        return _STAT_HEIGHT if self.kind == "stat" else _HEIGHT


@dataclass(frozen=True)
class Row:
    """Panels under a heading, from left to right; what does not fit any more begins a new line."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Variable:
    """A choice at the top of the dashboard. `query` asks Prometheus for its values."""

    name: str
    label: str
    query: str
    several: bool = False


@dataclass(frozen=True)
class Dashboard:
    """All of it. `uid` is its address in Grafana and must never change."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    variables: Sequence[Variable]
    events: Sequence[Query] = field(default=())

    def as_json(self) -> Json:
        """Return what Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["pictor"],
            "schemaVersion": 39,  # Grafana 10.4; newer ones bring it up to date when they read it
            "editable": False,
            "graphTooltip": 1,  # one crosshair for all panels
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_source_variable(), *map(_variable, self.variables)]},
            "annotations": {"list": [_event(query) for query in self.events]},
            "panels": list(_placed(self.rows)),
        }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Give each row and panel its number and its place."""
    number, top = 1, 0
    for row in rows:
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": place,
        }
        number, top, left, tallest = number + 1, top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield {"id": number, **_panel(panel), "gridPos": place}
            number, left, tallest = number + 1, left + panel.width, max(tallest, panel.height)
        top += tallest


def _panel(panel: Panel) -> Json:
    instant = panel.kind != "timeseries"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "instant": instant,
                "range": not instant,
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
        "transformations": _table_columns() if panel.kind == "table" else [],
    }


def _field(panel: Panel) -> Json:
    found: Json = {"unit": panel.unit, "min": 0, "thresholds": _thresholds(panel)}
    if panel.most is not None:
        found["max"] = panel.most
    if panel.kind == "timeseries":
        found["custom"] = {
            "fillOpacity": 30 if panel.stacked else 10,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
            "showPoints": "never",
            "spanNulls": False,  # a gap is news: nothing was measured
        }
    return found


def _thresholds(panel: Panel) -> Json:
    good, bad = "green", "red"
    if panel.limit is None:
        return {"mode": "absolute", "steps": [{"color": good, "value": None}]}
    first, beyond = (bad, good) if panel.bad_below else (good, bad)
    steps = [{"color": first, "value": None}, {"color": beyond, "value": panel.limit}]
    return {"mode": "absolute", "steps": steps}


def _options(panel: Panel) -> Json:
    if panel.kind == "timeseries":
        legend = {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        }
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "table":
        return {"showHeader": True}
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "bargauge":
        return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic"}
    return {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto"}


def _table_columns() -> list[Json]:
    """Leave out what Prometheus adds to every row; the labels are what a table is for."""
    return [{"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True, "Value": True}}}]


def _source_variable() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }


def _variable(variable: Variable) -> Json:
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": _SOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,  # when the time range changes: models come and go
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
        "allValue": ".*" if variable.several else None,
        "current": {"text": "All", "value": "$__all"} if variable.several else {},
        "hide": 0,
    }


def _event(query: Query) -> Json:
    return {
        "name": query.legend,
        "datasource": _SOURCE,
        "enable": True,
        "expr": query.expr,
        "titleFormat": "{{model}}/{{version}}",
        "iconColor": "blue",
        "step": "60s",
    }
