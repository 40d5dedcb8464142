"""What `pointsman stats` shows: a row per pair, strategy, tier and reason, where the time went, and what it all comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.text import Text

from pointsman.cli.hops import show_hops
from pointsman.cli.output import new_console, new_table
from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.v1 import admin_service_pb2, routing_pb2

Row = admin_service_pb2.StatsResponse.Row
_UNSCORED: Final = frozenset(
    {
        routing_pb2.REASON_SCORER_TIMEOUT,
        routing_pb2.REASON_SCORER_ERROR,
        routing_pb2.REASON_SCORER_NOT_READY,
        routing_pb2.REASON_SCORER_OVERLOADED,
        routing_pb2.REASON_SCORING_CAPPED,
    }
)


def show_stats(answer: admin_service_pb2.StatsResponse, controllers: int = 1) -> None:
    """Rows by name, where the time went, then sums, of so many controllers."""
    shown = new_console()
    if answer.rows:
        _show_rows(shown, sorted(answer.rows, key=lambda row: (row.pair, row.strategy, row.tier, row.reason, row.cost.currency)))
    show_hops(shown, answer)
    for line in summary(answer, controllers):
        shown.print(Text(line), soft_wrap=True)


def show_callers(answer: admin_service_pb2.StatsResponse, controllers: int = 1) -> None:
    """A row per caller, tier and backend, then the sums of all, of so many controllers."""
    shown = new_console()
    if answer.callers:
        table = new_table("caller", "tier", "backend", "requests", "errors", "read", "written", "cost", "always strong")
        for row in sorted(answer.callers, key=lambda row: (row.caller, row.tier, row.backend, row.cost.currency)):
            counts = (row.requests, row.errors, row.usage.prompt_tokens, row.usage.completion_tokens)
            who = (Text(row.caller or "(no key)"), Text(tier_name(row.tier)), Text(row.backend))
            table.add_row(*who, *(f"{count:,}" for count in counts), *_money(row.cost, known=row.HasField("cost")))
        shown.print(table)
    for line in summary(answer, controllers):
        shown.print(Text(line), soft_wrap=True)


def summary(answer: admin_service_pb2.StatsResponse, controllers: int = 1) -> Iterator[str]:
    """The sums, a sentence each; what is nothing isn't said."""
    rows = answer.rows
    requests = sum(row.requests for row in rows)
    up = timedelta(seconds=round(answer.uptime.ToTimedelta().total_seconds()))
    strong = sum(row.requests for row in rows if row.tier == routing_pb2.TIER_STRONG)
    share = f", {100 * strong / requests:.1f} % to strong" if requests else ""
    by = f" by {controllers} controllers" if controllers > 1 else ""
    yield f"in {up}: {requests:,} decided{by}{share}, {sum(row.decided_only for row in rows):,} of them without a call"
    currencies = sorted({row.cost.currency for row in rows if row.HasField("cost")})
    for currency in currencies:
        of = [row.cost for row in rows if row.cost.currency == currency]
        amount, always = sum(cost.amount for cost in of), sum(cost.always_strong for cost in of)
        saved = f"{always - amount:,.6g}{_percent(always - amount, always)}"
        yield f"spent {amount:,.6g} {currency}; always strong {always:,.6g}; saved {saved}"
    if requests and (router_s := sum(row.router_s for row in rows)):
        yield f"the router took {router_s:,.4g} s of its own, {1000 * router_s / requests:,.3g} ms a request"
    if answer.router_cost:
        yield _net(answer, currencies)
    if estimated := sum(row.estimated_tokens for row in rows):
        yield f"{estimated:,} tokens are estimates: their backends sent no usage"
    unscored = sum(row.requests for row in rows if row.reason in _UNSCORED)
    fell_back = sum(row.requests for row in rows if row.reason == routing_pb2.REASON_BACKEND_FALLBACK)
    if unscored or fell_back:
        yield f"fell back: {unscored:,} unscored, {fell_back:,} to the other backend"
    if errors := _by_reason(row.errors_by_reason for row in rows):
        yield f"errors: {errors}"
    if refused := _by_reason([answer.refused]):
        yield f"refused before a decision: {refused}"


def _net(answer: admin_service_pb2.StatsResponse, currencies: Sequence[str]) -> str:
    """What running the router has cost, and what was saved net of it, where that is money of one kind."""
    said = f"running the router cost {answer.router_cost:,.6g}"
    if len(currencies) != 1:
        return said
    amount, always = (sum(getattr(row.cost, name) for row in answer.rows) for name in ("amount", "always_strong"))
    net = always - amount - answer.router_cost
    return f"{said} {currencies[0]}; saved net of it {net:,.6g}{_percent(net, always)}"


def _show_rows(shown: Console, rows: Iterable[Row]) -> None:
    table = new_table("pair", "strategy", "tier", "reason", "requests", "errors", "read", "written", "cost", "always strong")
    for row in rows:
        table.add_row(
            Text(row.pair),
            Text(row.strategy),
            Text(tier_name(row.tier)),
            Text(reason_name(row.reason)),
            f"{row.requests:,}",
            f"{row.errors:,}",
            f"{row.usage.prompt_tokens:,}",
            f"{row.usage.completion_tokens:,}",
            *_money(row.cost, known=row.HasField("cost")),
        )
    shown.print(table)


def _money(cost: routing_pb2.Cost, *, known: bool) -> tuple[str, str]:
    return (f"{cost.amount:.6g} {cost.currency}", f"{cost.always_strong:.6g}") if known else ("", "")


def _percent(part: float, whole: float) -> str:
    return f" ({100 * part / whole:.1f} %)" if whole else ""


def _by_reason(counts: Iterable[Mapping[str, int]]) -> str:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return ", ".join(f"{reason} {count:,}" for reason, count in total.most_common())
