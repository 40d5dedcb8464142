"""What a run leaves: the labelled rows as a file, and what it came to."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from pointsman.runtime.whole_files import written_whole
from scorers.offline.label.costs import Tally, totals
from scorers.offline.label.job import ANSWERS, Job, Payer
from scorers.offline.label.journal import Journal
from scorers.offline.label.judge import STAGES, outcomes
from scorers.offline.label.running import Progress

_RAW = {"single": ("weak_score", "strong_score"), "pair": ("verdict_weak_first", "verdict_strong_first")}


def labelled_row(job: Job, journal: Journal, row: int, *, keep_answers: bool) -> dict[str, Any]:
    """A complete row as it is written: outcomes from 0 to 1, then what they were made of."""
    entries = [journal.done[row, stage] for stage in job.stages]
    first, second = (entry.value for entry in entries[-len(STAGES[job.mode]) :])
    assert first is not None
    assert second is not None
    weak, strong = outcomes(job.mode, first, second)
    raw = dict(zip(_RAW[job.mode], (first, second), strict=True))
    models = {f"{who}_model": model for who, model in job.models.items()}
    answers = {f"{entry.stage}_answer": entry.value for entry in entries if entry.stage in ANSWERS} if keep_answers else {}
    return {"row": row, "prompt": job.rows[row], "weak": weak, "strong": strong, **raw, **models, **answers}


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """JSON Lines, whole or not at all. Raises `OSError`."""
    with written_whole(file) as opened:
        opened.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        opened.flush()
        os.fsync(opened.fileno())


def summary(job: Job, journal: Journal, progress: Progress, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For JSON: what was labelled, what is missing and why, and what it cost, earlier runs of the same journal included."""
    return {
        "mode": job.mode,
        **{f"{who}_model": model for who, model in job.models.items()},
        "rows": len(job.rows),
        "labelled": len(rows),
        "failed": [{"row": row, "stage": stage, "reason": reason} for row, (stage, reason) in sorted(progress.failed.items())],
        "not_reached": len(job.rows) - len(progress.complete) - len(progress.failed),
        "stopped": progress.stopped or None,
        "weak_mean": _mean(rows, "weak"),
        "strong_mean": _mean(rows, "strong"),
        "strong_better": sum(row["strong"] > row["weak"] for row in rows),
        "weak_better": sum(row["weak"] > row["strong"] for row in rows),
        "cut_answers": cut_answers(job, journal),
        "spent": {who: vars(tally) for who, tally in journal.tallies.items()},
        "money": totals(journal.tallies.values()),
    }


def cut_answers(job: Job, journal: Journal) -> dict[str, int]:
    """How many answers of each tier ended at the most tokens that they might have."""
    cut = Counter(entry.stage for entry in journal.done.values() if entry.stage in ANSWERS and entry.finish_reason == "length")
    return {tier: cut[tier] for tier in ANSWERS}


def projected(job: Job, journal: Journal, complete: Collection[int]) -> dict[str, float]:
    """What all rows come to where they go on as those that are complete: money by currency."""
    so_far = Tally()
    for entry in journal.done.values():
        if entry.row in complete:
            so_far.add(entry.spent)
    return {currency: amount * len(job.rows) / len(complete) for currency, amount in so_far.money.items()}


def cost_table(title: str, tallies: Mapping[Payer, Tally], models: Mapping[Payer, str]) -> Table:
    """A row for each who is asked."""
    table = Table("", "model", "calls", "tokens read", "tokens written", "cost", title=title)
    for who, tally in tallies.items():
        counts = (f"{number:,}" for number in (tally.calls, tally.prompt_tokens, tally.completion_tokens))
        table.add_row(who, escape(models[who]), *counts, money(tally.money, tally.unpriced))
    return table


def money(amounts: Mapping[str, float], unpriced: int) -> str:
    """For people: amounts by currency, and how many calls nobody can price."""
    parts = [f"{amount:,.4f} {currency}" for currency, amount in amounts.items()]
    return " + ".join([*parts, *([f"{unpriced:,} calls without a price"] if unpriced else [])]) or "-"


def failures(progress: Progress) -> list[str]:
    """A sentence for each stage and reason, with its rows."""
    grouped: dict[tuple[str, str], list[int]] = {}
    for row, why in sorted(progress.failed.items()):
        grouped.setdefault(why, []).append(row)
    return [f"{stage}: {reason}: row {', '.join(map(str, numbers))}" for (stage, reason), numbers in grouped.items()]


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return sum(row[name] for row in rows) / len(rows) if rows else None
