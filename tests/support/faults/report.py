"""The table of faults: what each cost, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.support.faults.measure import MIB, Row

HEAD = ["fault", "answers", "typed errors", "lost", "late", "spliced, doubled", "gateway MiB", "controllers MiB", "restored"]


def table(rows: Iterable[Row]) -> list[str]:
    """Its lines."""
    return ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD), *("| " + " | ".join(cells(row)) + " |" for row in rows)]


def cells(row: Row) -> list[str]:
    """Of one fault. Answers that weren't as a scorer decided are told by their reason."""
    sums = row.sums
    others = Counter({reason: count for reason, count in sums.answers.items() if reason != "comparison"})
    answers = f"{sums.answers.total()}" + (f" ({_told(others)})" if others else "")
    memory = row.memory
    sizes = [
        " → ".join(str(round(size.get(name, 0) / MIB)) for size in (memory.before, memory.most, memory.after))
        for name in ("gateway", "controllers")
    ]
    bad = [_told(sums.errors) or "0", _told(sums.losses) or "0", str(sums.late), f"{sums.spliced}, {sums.doubled}"]
    return [row.fault, answers, *bad, *sizes, f"{row.restored_s:.1f} s"]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} `{name}`" for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])))
