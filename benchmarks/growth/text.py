"""The report's words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from typing import Final, TypeAlias

from benchmarks.growth.breaking import Limit
from benchmarks.growth.coalescing import LOAD, REPLICAS, Crowd
from benchmarks.growth.outcome import Outcome
from benchmarks.growth.planner import Assumptions, Plan

Loads: TypeAlias = Sequence[tuple[float, Outcome]]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows))


_PLAN: Final = (
    "strategy", "decisions/s", "replicas", "load", "p50 ms", "p99 ms", "prompts a call", "a batch", "controllers", "gateways", "nodes",
    "vCPU", "GiB", "per million", "slices",
)  # fmt: skip


def plan_row(plan: Plan) -> Sequence[str]:
    """Of the plans' table."""
    found = plan.outcome
    return (
        plan.strategy, f"{plan.rate:,.0f}", f"{plan.replicas:,}", f"{plan.load:.0%}", f"{found.p50 * 1e3:.0f}", f"{found.p99 * 1e3:.0f}",
        f"{found.call_size:.1f}", f"{found.batch_size:.1f}", f"{plan.controllers:,}", f"{plan.gateways:,}", f"{plan.nodes:,}",
        f"{plan.vcpus:,.0f}", f"{plan.gib:,.1f}", f"{plan.per_million:.3f}", f"{plan.sliced:,}",
    )  # fmt: skip


def plan_table(plans: Iterable[Plan]) -> str:
    """A row for each."""
    return table(_PLAN, (plan_row(each) for each in plans))


def plans(found: Mapping[str, Mapping[float, Plan]], words: int) -> str:
    """Every strategy at every rate."""
    said = f"""Prompts of {words} words. Load is what comes, over what the replicas would carry with full batches and full calls. How busy
they are isn't shown: small batches keep a replica busy long before it's full."""
    rows = [plan for by_rate in found.values() for plan in by_rate.values()]
    pictures = "![replicas by rate](growth-replicas.svg)\n\n![cost of a million decisions by rate](growth-cost.svg)"
    return f"## Replicas and cost by rate\n\n{said}\n\n{plan_table(rows)}\n\n{pictures}"


def lengths(found: Mapping[str, Sequence[Plan]], words: Sequence[int]) -> str:
    """At 1,000 a second."""
    rows = [(strategy, *(f"{each.replicas:,} ({each.per_million:.3f})" for each in by_length)) for strategy, by_length in found.items()]
    columns = ("strategy", *(f"{each} words" for each in words))
    return f"## By length of the prompts\n\nReplicas, and cost per million, at 1,000 decisions a second.\n\n{table(columns, rows)}"


def bursts(found: Mapping[str, Sequence[tuple[Plan, Plan]]], rates: Sequence[float]) -> str:
    """Poisson beside bursts."""
    rows = [(strategy, *(f"{even.replicas:,} → {bursty.replicas:,}" for even, bursty in pairs)) for strategy, pairs in found.items()]
    said = (
        "Bursts of half a second in the mean at twice the mean rate, a quarter of the time; two thirds of it between them. "
        "Replicas for Poisson → for bursts."
    )
    return f"## In bursts\n\n{said}\n\n{table(('strategy', *(f'{rate:,.0f}/s' for rate in rates)), rows)}"


def loads(found: Mapping[str, Loads]) -> str:
    """Eight replicas at more and more."""
    shares = [share for share, _ in next(iter(found.values()))]
    rows = [(strategy, *(_at_load(outcome) for _, outcome in each)) for strategy, each in found.items()]
    said = """p99 of scoring in ms, and how busy the replicas are: eight of them, one controller, by the share of what full batches
would carry. A model that takes no time leaves its replica idle while its one call is on the way, so that one controller can't fill it."""
    return f"## p99 by load\n\n{said}\n\n{table(('strategy', *(f'{each:.0%}' for each in shares)), rows)}\n\n![p99 by load](growth-p99.svg)"


def _at_load(found: Outcome) -> str:
    lost = f", {found.lost:.0%} lost" if found.lost >= 0.001 else ""
    return f"{found.p99 * 1e3:.0f} ({found.utilisation:.0%}){lost}"


def crowds(found: Mapping[str, Sequence[Crowd]], assumed: Assumptions) -> str:
    """As it is, and shared out."""
    columns = (
        "strategy",
        "controllers",
        "prompts a call",
        "a batch",
        "calls/s",
        "p50 ms",
        "p99 ms",
        "lost",
        "shared out: a call",
        "calls/s",
        "p99 ms",
        "lost",
    )
    rows = [
        (strategy, str(each.controllers), f"{each.own.call_size:.2f}", f"{each.own.batch_size:.2f}", f"{each.own.calls_per_s:,.0f}",
         f"{each.own.p50 * 1e3:.0f}", f"{each.own.p99 * 1e3:.0f}", f"{each.own.lost:.1%}", f"{each.shared.call_size:.2f}",
         f"{each.shared.calls_per_s:,.0f}", f"{each.shared.p99 * 1e3:.0f}", f"{each.shared.lost:.1%}")
        for strategy, by_number in found.items() for each in by_number
    ]  # fmt: skip
    said = f"""{REPLICAS} replicas at {LOAD:.0%} of what they would carry with full batches of {assumed.max_batch}, behind more and more
controllers. Each may have a call in flight for every replica: together they have many more slots than there are replicas, prompts go
alone, and it's the replicas that gather batches. Shared out: a controller has replicas/controllers slots, at least one.
p99 is lower behind many controllers: one sends all that waits to whichever replica is free first, and the next free one gets little."""
    return f"## Coalescing across controllers\n\n{said}\n\n{table(columns, rows)}"


def sizes(found: Mapping[str, Loads]) -> str:
    """One controller with smaller calls."""
    largest = [size for size, _ in next(iter(found.values()))]
    rows = [
        (strategy, *(f"{each.p50 * 1e3:.0f} / {each.p99 * 1e3:.0f}, {each.lost:.0%} lost" for _, each in by_size))
        for strategy, by_size in found.items()
    ]
    said = f"""p50 / p99 of scoring in ms: {REPLICAS} replicas behind one controller, at {LOAD:.0%} of what full batches would carry. A
call takes its share of what waits, one of {REPLICAS}, but small_batch prompts where they are there."""
    return f"## By small_batch\n\n{said}\n\n{table(('strategy', *(f'{each:g}' for each in largest)), rows)}"


def remedies(found: Mapping[str, Mapping[str, Plan]], rate: float) -> str:
    """Replicas and p99, by what is changed."""
    names = list(next(iter(found.values()), {}))
    rows = [
        (
            strategy,
            *(
                f"{each.replicas:,}; {each.outcome.p99 * 1e3:.0f}; {each.outcome.calls_per_s * each.sliced:,.0f}"
                for each in by_name.values()
            ),
        )
        for strategy, by_name in found.items()
    ]
    said = f"""At {rate:,.0f} decisions a second: replicas; p99 in ms; calls a second. With max_batch 4 a full batch, and so the target, is
shorter. 1,000 streams are RAY_SERVE_HAPROXY_H2_FE_MAX_CONCURRENT_STREAMS; slots that are shared out aren't written."""
    return f"## What would help\n\n{said}\n\n{table(('strategy', *names), rows)}"


def breaking(found: Sequence[Limit], at: Sequence[Plan]) -> str:
    """From the lowest rate up."""
    name = f"{at[0].strategy}, {at[0].words} words" if at else "no plan"
    columns = ("what", "arithmetic", "full at, requests/s", *(f"at {each.rate:,.0f}/s" for each in at), "then")
    rows = [
        (
            each.what,
            each.arithmetic,
            "never: it grows" if isinf(each.rate) else f"{each.rate:,.0f}",
            *(each.needed(plan) for plan in at),
            each.then,
        )
        for each in found
    ]
    said = f"""From the lowest rate up; on paper, from the figures above ({name}). 1x is 1,000 requests a second, about what one
controller decides. A cell says what the whole needs, or does, at that rate."""
    return f"## What breaks first at 10x and 100x\n\n{said}\n\n{table(columns, rows)}"
