"""Metrics that documents and settings name are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.metric_table import documented
from tests.support.promql import known_series

_ROOT = Path(__file__).parents[3]


def test_every_metric_that_a_document_names_is_in_the_table() -> None:
    """With or without `_total`; `pointsman_shadow_*` stands for those that begin so."""
    known = {*known_series(), *documented(), *(name.removesuffix("_total") for name in documented())}
    paths = [*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md"), *_ROOT.glob("benchmarks/**/*.md"), *_ROOT.glob("deploy/**/*.yaml")]
    named = {(path.name, name) for path in paths for name in re.findall(r"\bpointsman_[a-z_]+\b\*?", path.read_text())}
    assert {(file, name) for file, name in named if not _is_known(name, known)} == set()


def _is_known(name: str, known: set[str]) -> bool:
    return any(each.startswith(name[:-1]) for each in known) if name.endswith("*") else name in known
