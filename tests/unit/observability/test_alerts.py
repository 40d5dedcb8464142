"""The alert rules: of metrics that there are, explained in the runbook, and each seen firing and silent."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.observability.render import PROMETHEUS_RULE, prometheus_rule
from tests.support.observability import FOLDER, PROMTOOL, RULES, needs_promtool
from tests.support.promql import faults, selectors

_ROOT: Final = Path(__file__).parents[3]
_CASES: Final[list[dict[str, Any]]] = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())["tests"]


def _name(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


def _firing(alert: str) -> list[Sequence[dict[str, Any]]]:
    """What the cases expect of the alert: samples at each time that is looked at, none where it is silent."""
    looked_at = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    return [look["exp_samples"] for case in _CASES for look in case["promql_expr_test"] if look["expr"] == looked_at]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('sum by (job) (rate(pointsman_shed_total{job=~"pointsman-(gateway|controller)", instance="a b"}[5m])) > 0', []),
        ('pointsman_backend_attempts_total{outcome=~"backend_(cut|lost)"}', ["there is no outcome=backend_lost"]),
        ('pointsman_requests_total{reason!="comparision", error=""}', ["there is no reason=comparision"]),
        ("histogram_quantile(0.9, sum by (le) (rate(pointsman_scoring_seconds_bucket[5m])))", []),
        ("pointsman_nothing > 1 and up == 1", ["no metric pointsman_nothing"]),
        ('pointsman_pin{par="x"}', ["pointsman_pin has no label par"]),
        ("sum by (pair, strategy) (pointsman_pin)", ["nothing in it has a label strategy"]),
        ("pointsman_scoring_seconds", ["no metric pointsman_scoring_seconds"]),
    ],
)
def test_what_an_expression_asks_for_is_seen(expression: str, said: list[str]) -> None:
    """Metrics, labels and values that there aren't are told."""
    assert faults(expression) == said


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_a_rule_uses_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    """Those of docs/metrics.md."""
    assert list(selectors(rule["expr"]))
    assert faults(rule["expr"]) == []


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_a_rule_says_what_it_is_and_leads_to_its_paragraph(rule: dict[str, Any]) -> None:
    """Severity, summary, description and runbook."""
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_the_runbook_has_a_paragraph_for_each_rule_and_no_other() -> None:
    """In their order, each saying where to look and what to do, and links within it lead somewhere."""
    text = (_ROOT / "docs/runbook.md").read_text()
    paragraphs = dict(re.findall(r"^### (\w+)\n\n(.+?)(?=\n\n#|\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(paragraphs) == [rule["alert"] for rule in RULES]
    for name, paragraph in paragraphs.items():
        assert re.search(r"\*\*Look\s+at\*\*", paragraph), name
        assert "**Do**" in paragraph, name
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= {name.lower() for name in paragraphs}


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_a_rule_is_seen_firing_and_silent_and_its_text_names_labels_it_has_then(rule: dict[str, Any]) -> None:
    """In alerts.test.yaml."""
    looks = _firing(rule["alert"])
    assert [] in looks
    assert any(looks)
    used = set(re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())))
    for sample in (sample for samples in looks for sample in samples):
        assert used <= set(re.findall(r'(\w+)="', sample["labels"]))


@needs_promtool
@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts.test.yaml")], ids=" ".join)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    """That the rules are rules, and that each fires when it should."""
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_has_the_same_rules() -> None:
    """python -m deploy.observability.render has been run."""
    assert PROMETHEUS_RULE.read_text() == prometheus_rule()
    assert [rule for group in yaml.safe_load(PROMETHEUS_RULE.read_text())["spec"]["groups"] for rule in group["rules"]] == RULES
