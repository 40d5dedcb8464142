"""benchmarks/growth.md and its plots."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.growth import premises, text
from benchmarks.growth.arrivals import arrivals
from benchmarks.growth.breaking import limits
from benchmarks.growth.coalescing import Crowd, crowds, loads, sizes
from benchmarks.growth.measured import Measured, Service
from benchmarks.growth.planner import Assumptions, Plan, plan
from benchmarks.growth.plots import Plot, write
from benchmarks.growth.real import Clockless, played
from benchmarks.growth.simulator import Design, simulate
from pointsman.runtime.whole_files import written_whole

RATES: Final = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
WORDS: Final = 64
_LENGTHS: Final = (16, 64, 256)
_STEPS: Final = (1_000.0, 10_000.0, 100_000.0)
_BUSY: Final = (100.0, 1_000.0)
_CROWDED: Final = ("mf", "bert")
_SIZED: Final = ("mf", "bert", "causal_llm")


def write_report(measured: Measured, assumed: Assumptions, folder: Path, rates: Sequence[float] = RATES) -> None:
    """Takes some minutes. The same measurements and arguments give the same files, but for the run of the real Batcher."""
    plans = {strategy: {rate: _told(measured, strategy, rate, WORDS, assumed) for rate in rates} for strategy in measured.fits}
    example = plans["mf"] if "mf" in plans else next(iter(plans.values()))
    at_load = {strategy: loads(measured, strategy, WORDS, assumed) for strategy in plans}
    parts = [
        premises.head(measured, " ".join(sys.argv[1:]), time.strftime("%Y-%m-%d"), WORDS, assumed),
        premises.services(measured),
        premises.checks(_checks(), _against_the_batcher(assumed), os.getloadavg()[0]),
        text.plans(plans, WORDS),
        text.lengths(_by_length(measured, plans, assumed), _LENGTHS),
        text.bursts(_bursty(measured, plans, assumed), _BUSY),
        text.loads(at_load),
        text.crowds(_crowds(measured, assumed), assumed),
        text.sizes({strategy: sizes(measured, strategy, WORDS, assumed) for strategy in _SIZED if strategy in plans}),
        text.remedies(_remedies(measured, plans, assumed), _STEPS[1]),
        text.breaking(limits(measured, example, assumed), [example[step] for step in _STEPS if step in example]),
    ]
    for each in _plots(plans, at_load):
        write(each, folder)
    with written_whole(folder / "growth.md") as opened:
        opened.write(("\n\n".join(parts) + "\n").encode())


def _told(measured: Measured, strategy: str, rate: float, words: int, assumed: Assumptions) -> Plan:
    found = plan(measured, strategy, rate, words, assumed)
    print(f"{strategy}, {rate:g}/s, {words} words, {assumed.arrivals}: {found.replicas} replicas", file=sys.stderr, flush=True)
    return found


def _by_length(measured: Measured, plans: Mapping[str, Mapping[float, Plan]], assumed: Assumptions) -> dict[str, list[Plan]]:
    def at(strategy: str, words: int) -> Plan:
        known = plans[strategy].get(_STEPS[0]) if words == WORDS else None
        return known or _told(measured, strategy, _STEPS[0], words, assumed)

    return {strategy: [at(strategy, words) for words in _LENGTHS] for strategy in plans}


def _bursty(measured: Measured, plans: Mapping[str, Mapping[float, Plan]], assumed: Assumptions) -> dict[str, list[tuple[Plan, Plan]]]:
    """As Poisson and in bursts, at each busy rate. Smaller slices, so that a simulation lasts for many bursts."""
    bursty = replace(assumed, arrivals="bursty", slice_replicas=8, seconds=3 * assumed.seconds)
    return {
        strategy: [(by_rate[rate], _told(measured, strategy, rate, WORDS, bursty)) for rate in _BUSY if rate in by_rate]
        for strategy, by_rate in plans.items()
    }


def _crowds(measured: Measured, assumed: Assumptions) -> dict[str, list[Crowd]]:
    return {strategy: list(crowds(measured, strategy, WORDS, assumed)) for strategy in _CROWDED if strategy in measured.fits}


def _remedies(measured: Measured, plans: Mapping[str, Mapping[float, Plan]], assumed: Assumptions) -> dict[str, dict[str, Plan]]:
    """At 10,000 a second, by what is changed."""
    rate = _STEPS[1]
    changes = {
        "max_batch 4": replace(assumed, max_batch=4),
        "1,000 streams": replace(assumed, streams=1000),
        "slots shared out": replace(assumed, slots="shared"),
        "slots shared out, max_batch 4": replace(assumed, slots="shared", max_batch=4),
    }
    return {
        strategy: {"as it is": by_rate[rate]} | {name: _told(measured, strategy, rate, WORDS, each) for name, each in changes.items()}
        for strategy, by_rate in plans.items()
        if rate in by_rate
    }


def _checks() -> Iterator[premises.Check]:
    """M/D/1 at three loads; tests/unit/benchmarks has M/M/c and more."""
    for load in (0.3, 0.6, 0.9):
        design = Design(1, lambda _: 1.0, max_batch=1, max_waiting=np.inf, max_queued=np.inf, timeout_s=np.inf)
        # The busier, the longer a queue remembers; and over several draws, for one of them may well come at another rate.
        waits = [simulate(design, arrivals("poisson", load, int(10_000 / (1 - load)), seed)).mean_wait for seed in range(1, 7)]
        yield premises.Check(f"M/D/1, load {load:g}: mean wait, in service times", load / (2 * (1 - load)), float(np.mean(waits)))


def _against_the_batcher(assumed: Assumptions) -> Iterator[premises.Check]:
    """One real Batcher whose model sleeps 20 ms and 15 ms for each prompt: on a clock of its own, then on the machine's for some 10 s."""
    design = Design(1, Service(0.020, 0.015), max_batch=assumed.max_batch)
    for clock, loop, count in (("a clock of its own", Clockless, 2000), ("this machine's clock", None, 400)):
        times = arrivals("poisson", 40, count, 1)
        with asyncio.Runner(loop_factory=loop) as runner:
            real, simulated = runner.run(played(design, times)), simulate(design, times)
        counted = real.latencies[count // 10 :] * 1e3
        yield premises.Check(f"Batcher, 40/s, on {clock}: prompts in a batch", float(np.mean(real.batches)), simulated.batch_size)
        yield premises.Check("p50, ms", float(np.quantile(counted, 0.5)), simulated.p50 * 1e3)
        yield premises.Check("p99, ms", float(np.quantile(counted, 0.99)), simulated.p99 * 1e3)


def _plots(plans: Mapping[str, Mapping[float, Plan]], at_load: Mapping[str, text.Loads]) -> Iterator[Plot]:
    rate = "decisions per second"
    yield Plot("growth-replicas.svg", rate, "replicas", {s: [(r, p.replicas) for r, p in by.items()] for s, by in plans.items()})
    cost = "cost of a million decisions (assumed prices)"
    yield Plot("growth-cost.svg", rate, cost, {s: [(r, p.per_million) for r, p in by.items()] for s, by in plans.items()})
    share = "arrivals, as a share of what full batches would carry"
    # A p99 of those who got an answer says little where many didn't.
    curves = {s: [(load, found.p99 * 1e3) for load, found in each if found.lost < 0.001] for s, each in at_load.items()}
    yield Plot("growth-p99.svg", share, "p99 of scoring, ms", curves, log_across=False)
