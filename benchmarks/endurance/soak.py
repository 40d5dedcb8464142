"""Mixed load for long: whether any process grows, leaks files or tasks, or stalls."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import uvloop

from benchmarks.endurance.mixed import SHARES, mixture
from benchmarks.endurance.services import Services, services
from benchmarks.endurance.slope import Slope, slope_of
from benchmarks.endurance.watching import Look, Watch
from benchmarks.proxies import arms
from pointsman.loadtest.driving import Call, Load, drive
from pointsman.loadtest.prompts import made
from pointsman.loadtest.samples import Summary, summary

TITLE: Final = "Mixed load for an hour"
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was seen."""

    summary: Summary
    asked: Counter[str]
    reloads: int
    looks: Sequence[Look]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this measurement."""
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=40, help="requests a second")
    parser.add_argument("--warmup", type=float, help="seconds of the same mixture before, which nothing counts; where not named, a sixth")
    parser.add_argument("--warmup-rate", type=float, default=160, help="requests a second of the warm-up, all but its last tenth")
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks")
    parser.add_argument("--reload", type=float, default=60, help="seconds between two reloads")


def measured(options: argparse.Namespace) -> list[str]:
    """The table."""
    with services() as running:
        arms.behave(running.backend, delay_ms=20, gap_ms=20)
        options.warmup = options.seconds / 6 if options.warmup is None else options.warmup
        return _table(uvloop.run(soaked(running, options)), options)


async def soaked(running: Services, options: argparse.Namespace) -> Soaked:
    """Runs it."""
    asked: Counter[str] = Counter()
    watch = Watch(running.pids(), running.metrics_urls(), options.every)
    reloads = Counter[str]()
    async with mixture(running.rest, running.product.grpc, made(), asked) as call:
        await _warm_up(call, options)
        asked.clear()
        beside = [asyncio.ensure_future(watch.keep()), asyncio.ensure_future(_reloading(running, options.reload, reloads))]
        driving = asyncio.ensure_future(drive(call, Load(options.seconds, rate=options.rate)))
        await asyncio.wait([driving, *beside], return_when=asyncio.FIRST_COMPLETED)
        for task in beside:
            task.cancel()
        samples = await driving
        for ended in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
    return Soaked(summary(samples, options.seconds), asked, reloads["sent"], watch.looks)


async def _warm_up(call: Call, options: argparse.Namespace) -> None:
    """What allocators and pools keep they have after so many requests, not after so many minutes; the last tenth lets the rest go again."""
    for share, rate in ((0.9, options.warmup_rate), (0.1, options.rate)):
        await drive(call, Load(share * options.warmup, rate=rate))


async def _reloading(running: Services, every_s: float, sent: Counter[str]) -> None:
    """Has gateway and controller read their settings again, now and then."""
    while True:
        await asyncio.sleep(every_s)
        for name in ("gateway", "controller"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pids()[name], signal.SIGHUP)
        sent["sent"] += 1
        print(f"reload {sent['sent']}", file=sys.stderr)


def _table(found: Soaked, options: argparse.Namespace) -> list[str]:
    looks = found.looks
    names = [name for name in looks[0].rss_bytes if all(name in look.rss_bytes for look in looks)]
    gone = sorted(set(looks[0].rss_bytes) - set(names))
    mixed = ", ".join(f"{kind} {share} %" for kind, share in SHARES.items())
    return [
        f"{options.rate:g} requests a second (Poisson) for {options.seconds:g} s: {mixed}. Backend: 20 ms to an answer, 20 ms between"
        f" two of a stream's 32 chunks."
        f" {found.reloads} reloads of gateway and controller by SIGHUP. Looked at every {options.every:g} s. Before that"
        f" {options.warmup:g} s of warm-up, at {options.warmup_rate:g} requests a second and in the last tenth at {options.rate:g}."
        " Slopes are by least squares, their 95 % intervals by a block bootstrap (blocks of a tenth).",
        "",
        "| process | RSS, first to last MiB | slope, MiB/h | 95 % interval | zero? | files, least to most |",
        "|---|---|---|---|---|---|",
        *(_row(name, looks) for name in names),
        "",
        "| event loop | tasks, least to most | looks | over 100 ms behind | longest, ms |",
        "|---|---|---|---|---|",
        *(_loop(name, looks) for name in looks[0].loops),
        "",
        f"- {found.summary.calls:,} requests, {found.summary.per_second:g} a second as they should be;"
        f" not as they should: {_counted(found.summary.errors)}.",
        f"- Latency, ms: {', '.join(f'{name} {value:.0f}' for name, value in found.summary.latency_ms.items())}.",
        f"- Asked: {_counted(found.asked)}.",
        *([f"- Ended or replaced meanwhile: {', '.join(gone)}."] if gone else []),
    ]


def _row(name: str, looks: Sequence[Look]) -> str:
    sizes = [look.rss_bytes[name] / _MIB for look in looks]
    files = [look.descriptors[name] for look in looks]
    try:
        slope: Slope | None = slope_of([look.at / 3600 for look in looks], sizes)
    except ValueError:
        slope = None
    told = (
        f"{slope.value:+.2f} | {slope.low:+.2f} to {slope.high:+.2f} | {'yes' if slope.is_zero else 'no'}"
        if slope
        else " | too few looks | "
    )
    return f"| {name} | {sizes[0]:.1f} to {sizes[-1]:.1f} | {told} | {min(files)} to {max(files)} |"


def _loop(name: str, looks: Sequence[Look]) -> str:
    first, last = looks[0].loops[name], looks[-1].loops[name]
    tasks = [look.loops[name].tasks for look in looks]
    longest = f"{1000 * last.longest_s:.0f}" if last.longest_s > first.longest_s else f"below {1000 * first.longest_s:.0f}, the warm-up's"
    return f"| {name} | {min(tasks)} to {max(tasks)} | {last.looks - first.looks:,} | {last.stalls - first.stalls} | {longest} |"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} × {what}" for what, count in sorted(counts.items())) or "none"
