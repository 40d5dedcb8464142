"""The sum of what several controllers have counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pointsman.v1 import admin_service_pb2

Stats = admin_service_pb2.StatsResponse


def summed(answers: Sequence[Stats]) -> Stats:
    """One answer of several, at least one, by the contract's rules: a row per name, one more for each further currency.

    The uptime is the longest, and `controllers` are the first answer's.
    """
    total = Stats(controllers=answers[0].controllers)
    total.rows.extend(_rows([row for answer in answers for row in answer.rows], ("pair", "strategy", "tier", "reason")))
    total.callers.extend(_rows([row for answer in answers for row in answer.callers], ("caller", "tier", "backend")))
    for answer in answers:
        for reason, count in answer.refused.items():
            total.refused[reason] += count
        total.router_cost += answer.router_cost
    for kind in ("scoring", "scorer_wait", "first_byte", "router"):
        getattr(total, kind).extend(_durations([each for answer in answers for each in getattr(answer, kind)]))
    total.uptime.CopyFrom(max((answer.uptime for answer in answers), key=lambda uptime: uptime.ToNanoseconds()))
    return total


def _rows(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Rows of the same names made one, but for money of another currency."""
    sums: dict[tuple[Any, ...], Any] = {}
    further: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in names)
        bare = {name: getattr(row, name) for name in names}
        into = sums.setdefault(key, type(row)(**bare))
        _add(into, row, {*names, "cost"})
        if row.HasField("cost"):
            if into.cost.currency not in ("", row.cost.currency):
                into = further.setdefault((*key, row.cost.currency), type(row)(**bare))
            into.cost.currency = row.cost.currency
            _add(into.cost, row.cost, {"currency"})
    return [*sums.values(), *further.values()]


def _add(into: Any, row: Any, but: set[str]) -> None:
    """Adds every number; of flags, either; of messages and maps, what is in them."""
    for field, value in row.ListFields():
        if field.name in but:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            for name, count in value.items():
                getattr(into, field.name)[name] += count
        elif field.message_type:
            _add(getattr(into, field.name), value, set())
        else:
            before = getattr(into, field.name)
            setattr(into, field.name, before or value if isinstance(value, bool) else before + value)


def _durations(durations: Sequence[Stats.Durations]) -> list[Stats.Durations]:
    """One for each pair and name, with the buckets that all of them have: two releases may count in others, and nothing is guessed."""
    sums: dict[tuple[str, str], Stats.Durations] = {}
    for each in durations:
        into = sums.get((each.pair, each.name))
        if into is None:
            sums[each.pair, each.name] = into = Stats.Durations()
            into.CopyFrom(each)
            continue
        counts = {bucket.at_most_s: bucket.count for bucket in each.buckets}
        both = [
            Stats.Durations.Bucket(at_most_s=own.at_most_s, count=own.count + counts[own.at_most_s])
            for own in into.buckets
            if own.at_most_s in counts
        ]
        del into.buckets[:]
        into.buckets.extend(both)
        into.count += each.count
        into.sum_s += each.sum_s
    return list(sums.values())
