"""Where the time went, hop by hop: means that are exact, and quantiles to a bucket of a histogram (gateway/page/hops.js shows the same)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from pointsman.cli.output import new_table
from pointsman.v1 import admin_service_pb2

Durations = admin_service_pb2.StatsResponse.Durations
_KINDS: Final = (
    ("queue for scorers", "scorer_wait"),
    ("scoring", "scoring"),
    ("router, in all", "router"),
    ("backend's first byte", "first_byte"),
)
_SHARES: Final = (0.5, 0.95, 0.99)


def show_hops(shown: Console, answer: admin_service_pb2.StatsResponse) -> None:
    """A row per hop and what it is of; nothing where nothing was counted."""
    table = new_table("hop", "of", "counted", "mean", "half within", "95 % within", "99 % within")
    for hop, each in _counted(answer):
        of = ", ".join(name for name in (each.pair, each.name) if name) or "none"
        table.add_row(hop, Text(of), f"{each.count:,}", _told(each.sum_s / each.count), *(_within(each, share) for share in _SHARES))
    if table.row_count:
        shown.print(table)


def within(durations: Durations, share: float) -> float | None:
    """The seconds within which that share (0 to 1) of them was over, interpolated within a bucket; None past the last bucket."""
    low, below = 0.0, 0
    for bucket in durations.buckets:
        if bucket.count >= share * durations.count and bucket.count > below:
            return low + (share * durations.count - below) / (bucket.count - below) * (bucket.at_most_s - low)
        low, below = bucket.at_most_s, bucket.count
    return None


def _counted(answer: admin_service_pb2.StatsResponse) -> Iterator[tuple[str, Durations]]:
    for hop, kind in _KINDS:
        for each in sorted(getattr(answer, kind), key=lambda each: (each.pair, each.name)):
            if each.count:
                yield hop, each


def _within(durations: Durations, share: float) -> str:
    if not durations.buckets:
        return ""
    found = within(durations, share)
    return f"over {_told(durations.buckets[-1].at_most_s)}" if found is None else _told(found)


def _told(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
