"""What the run says: Markdown."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.compose.engine import ENGINE, run
from tests.support.faults.measure import Row


def heading() -> Iterator[str]:
    """Which machine and engine."""
    version = run(ENGINE, "--version").stdout.strip()
    yield "# The last run of the containers"
    yield "\n    make test-compose\n"
    yield f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, {version}."
    yield "What is killed gets SIGKILL from outside, as for want of memory.\n"


def killed(rows: Sequence[tuple[str, Row, float]]) -> Iterator[str]:
    """A line for each container."""
    yield "\n## Each container killed under load\n"
    yield "| killed | answers | typed errors | lost | answered as decided again after | healthy again after |\n|---|---|---|---|---|---|"
    for name, row, healthy_s in rows:
        sums = row.sums
        yield (
            f"| {name} | {_told(sums.answers, 'comparison')} | {_counted(sums.errors)} | {_counted(sums.losses)} | {row.restored_s:.1f} s |"
            f" {healthy_s:.0f} s |"
        )


def _told(answers: Counter[str], usual: str) -> str:
    others = _counted(Counter({reason: count for reason, count in answers.items() if reason != usual}))
    return f"{answers.total()}" + (f" ({others})" if others != "0" else "")


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} `{what}`" for what, count in counts.most_common()) or "0"
