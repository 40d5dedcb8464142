"""The tables of docs/metrics.md, and what a registry exposes, in the same form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

DOCUMENT: Final = Path(__file__).parents[2] / "docs/metrics.md"
BOTH, GATEWAY, CONTROLLER = "Gateway and controller", "Gateway", "Controller"
_ROW: Final = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \| ((?:`\w+`(?:, )?)*)\s?\| [^|]+ \| [^|]+ \|$")
_NAME: Final = re.compile(r"`(\w+)`")


@dataclass(frozen=True)
class Shape:
    """What a metric is."""

    kind: str
    labels: frozenset[str] = frozenset()


def documented(*sections: str) -> dict[str, Shape]:
    """The metrics of these sections, all three where none is named. A row that doesn't read as one fails."""
    found: dict[str, Shape] = {}
    for section in sections or (BOTH, GATEWAY, CONTROLLER):
        for line in _lines(section):
            row = _ROW.match(line)
            assert row, f"not a row of metrics: {line}"
            assert row[1] not in found, f"{row[1]} stands twice"
            found[row[1]] = Shape(row[2], frozenset(_NAME.findall(row[3])))
    return found


def documented_labels() -> list[str]:
    """Those of which it is said what bounds them."""
    return [name for line in _lines("Labels") for name in _NAME.findall(line.split("|")[1])]


def exposed(registry: CollectorRegistry) -> dict[str, Shape]:
    """What `/metrics` of this registry says: names and types as in its text, labels as the collectors know them.

    The text alone has no labels of a metric that counted nothing yet.
    """
    types = re.findall(r"^# TYPE (\w+) (\w+)$", generate_latest(registry).decode(), re.MULTILINE)
    labels = _labels(registry)
    return {name: Shape(kind, frozenset(labels[name])) for name, kind in types if not name.endswith("_created")}


def _lines(section: str) -> list[str]:
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert text, f"{DOCUMENT.name} has no section {section}"
    rows = [line for line in text[1].splitlines() if line.startswith("|")]
    return rows[2:]  # after the head and its rule


def _labels(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """By name. A family that is made at each scrape keeps its labels' names to itself, unless it has a sample."""
    found: dict[str, tuple[str, ...]] = {}
    for collector in list(registry._collector_to_names):
        for family in collector.collect():
            named = collector if isinstance(collector, MetricWrapperBase) else family
            found[family.name + ("_total" if family.type == "counter" else "")] = tuple(getattr(named, "_labelnames", ()))
    return found
