"""Writes Grafana's dashboards from their descriptions in dashboards/, so that all panels are alike, and the alert rules for Kubernetes.

    python -m deploy.observability.render

A description has a `title`, what it `says`, `variables` (a label, and the metric that has its values) and `rows` of panels. A panel has a
`title`, what it `says`, a `unit` of Grafana's, and `queries` (legend: PromQL, with the words of `SHORT`); where it isn't a plain time
series from 0 up a `kind` (stat, heatmap, state), a `width` (of 24; 8), `stacked`, `signed`, a `max`, a `limit` to draw, and `values`
(number: name and colour).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent
PROMETHEUS_RULE: Final = _FOLDER.parent / "kubernetes/components/monitoring/rules.yaml"
_LABELS: Final = {"name": "pointsman", "component": "monitoring", "part-of": "pointsman"}
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_KINDS: Final = {"series": "timeseries", "stat": "stat", "heatmap": "heatmap", "state": "state-timeline"}
_WIDTH, _HEIGHT, _ROW_HEIGHT = 24, 8, 1
_TAG: Final = "pointsman"
SHORT: Final = {
    "@i": "$__rate_interval",
    "@edge": 'endpoint!~"/health|/livez|/readyz|/metrics|unmatched"',  # what callers ask for
    "@failed": 'status=~"5xx|INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED|UNKNOWN|UNIMPLEMENTED"',
}
"""What these words stand for in queries."""
Json = dict[str, Any]


def main() -> int:
    """Writes a file for each dashboard, where Grafana's provisioning reads, and the rules as the Prometheus operator takes them."""
    for name, text in rendered().items():
        (_FOLDER / "grafana/dashboards" / name).write_text(text)
    PROMETHEUS_RULE.write_text(prometheus_rule())
    return 0


def prometheus_rule() -> str:
    """alerts.yaml as the Prometheus operator takes it."""
    labels = {f"app.kubernetes.io/{key}": value for key, value in _LABELS.items()}
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pointsman", "labels": labels},
        "spec": yaml.safe_load((_FOLDER / "alerts.yaml").read_text()),
    }
    says = "# Written by python -m deploy.observability.render from deploy/observability/alerts.yaml.\n"
    return says + yaml.safe_dump(manifest, sort_keys=False, width=140, allow_unicode=True)


def rendered() -> dict[str, str]:
    """The files' names and their texts."""
    described = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((_FOLDER / "dashboards").glob("*.yaml"))}
    return {f"{name}.json": json.dumps(dashboard(name, each), indent=1, ensure_ascii=False) + "\n" for name, each in described.items()}


def dashboard(name: str, described: Json) -> Json:
    """One of them."""
    return {
        "uid": f"pointsman-{name}",
        "title": f"Pointsman: {described['title']}",
        "description": described["says"],
        "tags": [_TAG],
        "links": [{"type": "dashboards", "tags": [_TAG], "title": "Pointsman", "asDropdown": True, "includeVars": False, "keepTime": True}],
        "templating": {"list": [_datasource(), *(_variable(*each) for each in described.get("variables", {}).items())]},
        "panels": list(_panels(described["rows"])),
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "timezone": "browser",
        "editable": False,
        "graphTooltip": 1,  # one crosshair for all panels
        "schemaVersion": 39,
    }


def _datasource() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}, "hide": 0}


def _variable(label: str, metric: str) -> Json:
    """Any of the label's values, several, or all."""
    query = f"label_values({metric}, {label})"
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": "values"},
        "definition": query,
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panels(rows: Mapping[str, Sequence[Json]]) -> Iterator[Json]:
    """Rows, and panels beside each other while the width lasts, numbered in their order."""
    number, y = 0, 0
    for title, described in rows.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(0, y, _WIDTH, _ROW_HEIGHT)}
        x, y = 0, y + _ROW_HEIGHT
        for each in described:
            number += 1
            width = each.get("width", 8)
            if x + width > _WIDTH:
                x, y = 0, y + _HEIGHT
            yield {"id": number, "gridPos": _place(x, y, width, _HEIGHT), **_panel(each)}
            x += width
        y += _HEIGHT


def _place(x: int, y: int, width: int, height: int) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(described: Json) -> Json:
    kind = _KINDS[described.get("kind", "series")]
    targets = [
        {"refId": chr(ord("A") + number), "datasource": _DATASOURCE, "expr": _whole(query), "legendFormat": legend, "range": True}
        for number, (legend, query) in enumerate(described["queries"].items())
    ]
    if kind == "heatmap":
        targets = [{**target, "format": "heatmap"} for target in targets]
    return {
        "type": kind,
        "title": described["title"],
        "description": described["says"],
        "datasource": _DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": _field(described, kind), "overrides": []},
        "options": _options(kind, described["unit"]),
    }


def _whole(query: str) -> str:
    for name, meant in SHORT.items():
        query = query.replace(name, meant)
    return " ".join(query.split())


def _field(described: Json, kind: str) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if "limit" in described:
        steps.append({"color": "red", "value": described["limit"]})
    field: Json = {"unit": described["unit"], "thresholds": {"mode": "absolute", "steps": steps}}
    if kind in ("timeseries", "stat") and not described.get("signed"):
        field["min"] = 0
    if "max" in described:
        field["max"] = described["max"]
    if "values" in described:
        texts = {str(value): {"text": text, "color": colour} for value, (text, colour) in described["values"].items()}
        field["mappings"] = [{"type": "value", "options": texts}]
    if kind == "timeseries":
        stacked = described.get("stacked", False)
        field["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if stacked else 0,
            "stacking": {"mode": "normal" if stacked else "none"},
            "thresholdsStyle": {"mode": "line" if "limit" in described else "off"},
            "showPoints": "never",
        }
    return field


def _options(kind: str, unit: str) -> Json:
    if kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value", "graphMode": "area"}
    if kind == "heatmap":
        return {"calculate": False, "yAxis": {"unit": unit}, "color": {"mode": "scheme", "scheme": "Blues"}, "tooltip": {"mode": "single"}}
    return {"showValue": "never", "mergeValues": True, "legend": {"displayMode": "list", "placement": "bottom"}}


if __name__ == "__main__":
    sys.exit(main())
