"""Made-up jobs and journal entries."""

from __future__ import annotations

from typing import Any

from scorers.offline.label.costs import Spent
from scorers.offline.label.job import Job
from scorers.offline.label.journal import Entry


def job(**changes: Any) -> Job:
    """Two rows, scored singly; with whatever is changed."""
    fields: dict[str, Any] = {
        "rows": {3: "first", 8: "second"},
        "mode": "single",
        "pair": "default",
        "judge": "judge",
        "models": {"weak": "small", "strong": "big", "judge": "other"},
        "max_tokens": 100,
        "judge_max_tokens": 50,
        "temperature": None,
    }
    return Job(**{**fields, **changes})


def entry(row: int, stage: str, value: str | float | None, cost: float | None = 0.5) -> Entry:
    """An answered call of ten tokens read and two written."""
    spent = Spent(prompt_tokens=10, completion_tokens=2, cost=cost, currency="USD")
    return Entry(row=row, stage=stage, value=value, finish_reason="stop", spent=spent, at_most=0.75)
