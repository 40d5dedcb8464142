"""The dashboards: written from their descriptions, of metrics that there are, and whole as Grafana reads them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.observability.render import rendered
from tests.support.observability import FOLDER, PROMTOOL, RULES, needs_promtool
from tests.support.promql import faults, grouped, known_series, selectors

_FILES: Final = sorted((FOLDER / "grafana/dashboards").glob("*.json"))
_DASHBOARDS: Final[list[dict[str, Any]]] = [json.loads(path.read_text()) for path in _FILES]
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def _panels() -> Iterator[Any]:
    for board in _DASHBOARDS:
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield pytest.param(board, panel, id=f"{board['uid']} {panel['title']}")


def _promql(query: str) -> str:
    """As Prometheus gets it."""
    return query.replace("$__rate_interval", "5m").replace("$__range", "3h")


def test_the_files_are_what_their_descriptions_make() -> None:
    """python -m deploy.observability.render has been run."""
    assert {path.name: path.read_text() for path in _FILES} == rendered()


def test_dashboards_have_names_of_their_own_and_choose_their_prometheus() -> None:
    """The first variable is the data source."""
    assert len(_DASHBOARDS) == 6
    for name in ("uid", "title"):
        assert len({board[name] for board in _DASHBOARDS}) == len(_DASHBOARDS)
    for board in _DASHBOARDS:
        assert board["description"]
        first, *others = board["templating"]["list"]
        assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
        for variable in others:
            assert variable["datasource"] == _DATASOURCE
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            assert label in known_series()[metric]
            assert label == variable["name"]


def test_panels_are_numbered_once_and_dont_overlap() -> None:
    """Within the 24 columns."""
    for board in _DASHBOARDS:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridPos"] for panel in board["panels"]):
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken, board["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells


@pytest.mark.parametrize(("board", "panel"), list(_panels()))
def test_a_panel_shows_metrics_that_there_are(board: dict[str, Any], panel: dict[str, Any]) -> None:
    """By labels that they have, in its legend too, and with the variables of its dashboard."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == _DATASOURCE
    assert panel["fieldConfig"]["defaults"]["unit"]
    variables = {f"${variable['name']}" for variable in board["templating"]["list"]} | {"$__rate_interval", "$__range"}
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == sorted(set(letters))
    assert letters
    for target in panel["targets"]:
        query = target["expr"]
        assert target["datasource"] == _DATASOURCE
        assert "@" not in query
        assert faults(_promql(query)) == []
        assert set(re.findall(r"\$\w+", query)) <= variables
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        # What isn't grouped keeps all labels of its metric.
        kept = grouped(query) or {label for name, _ in selectors(_promql(query)) for label in known_series()[name]}
        assert legend <= kept


def test_the_alerts_that_panels_name_are_there() -> None:
    """In their descriptions."""
    named = {
        name
        for board in _DASHBOARDS
        for panel in board["panels"]
        for found in re.findall(r"Alerts?: ([\w, ]+)\.", panel.get("description", ""))
        for name in found.split(", ")
    }
    assert named
    assert named <= {rule["alert"] for rule in RULES}


@needs_promtool
def test_promtool_reads_every_query_and_the_scraping(tmp_path: Path) -> None:
    """Queries as rules, since it checks those."""
    assert PROMTOOL
    queries = [target["expr"] for board in _DASHBOARDS for panel in board["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"query:{number}", "expr": _promql(query)} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    for arguments in (["check", "rules", str(tmp_path / "queries.yaml")], ["check", "config", "prometheus.yaml"]):
        done = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_scraping_and_the_rules_know_the_same_jobs() -> None:
    """And Grafana's provisioning reads as YAML."""
    scraped = {each["job_name"] for each in yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]}
    assert scraped == {"pointsman-gateway", "pointsman-controller"}
    exact = set(re.findall(r'job="([\w-]+)"', "".join(rule["expr"] for rule in RULES)))
    assert exact <= scraped
    (source,) = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/pointsman.yaml").read_text())["providers"]
