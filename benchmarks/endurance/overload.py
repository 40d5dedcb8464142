"""Twice what the services can answer: what is refused and how fast, what the accepted take, and when it is as before."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psutil
import uvloop

from benchmarks.ahead import step_ahead
from benchmarks.endurance.services import Services, services
from benchmarks.endurance.watching import Look, look
from benchmarks.proxies import arms
from pointsman.loadtest.driving import Call, Load, drive
from pointsman.loadtest.prompts import made
from pointsman.loadtest.rest import chats
from pointsman.loadtest.samples import Sample, percentiles
from pointsman.runtime.lifecycle import settle

TITLE: Final = "Twice the capacity"
REFUSED: Final = ("HTTP 429", "HTTP 503")
"""With a Retry-After; without one it is another error."""
UNLOADED: Final = 0.3
"""Of the capacity."""
_CALLERS: Final = (16, 32, 64)
_NORMAL: Final = 2.0
"""A second is normal where nothing is refused or lost and its p99 is within twice the unloaded one."""
_IN_A_ROW: Final = 3
_AFTER_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Phase:
    """Open-loop load at one rate."""

    rate: float
    seconds: float
    samples: list[Sample]

    def accepted(self) -> list[Sample]:
        """Those that were answered."""
        return [sample for sample in self.samples if not sample.error]

    def refused(self) -> list[Sample]:
        """Those that were told to come back."""
        return [sample for sample in self.samples if sample.error in REFUSED]

    def lost(self) -> Counter[str]:
        """All others, by what became of them."""
        return Counter(sample.error for sample in self.samples if sample.error and sample.error not in REFUSED)


@dataclass(frozen=True, slots=True)
class Overload:
    """What was measured."""

    capacity: float
    """Answers a second at most under closed-loop load."""
    callers: int
    """By so many callers."""
    unloaded: Phase
    overloaded: Phase
    after: Phase
    normal_s: float | None
    """After the end of the overload; None where it never was."""
    generator_share: float
    """CPU seconds a second of the generator while it overloaded."""
    service_shares: dict[str, float]
    before: Look
    end: Look


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this measurement."""
    parser.add_argument("--seconds", type=float, default=300, help="how long it is overloaded")
    parser.add_argument("--times", type=float, default=2, help="of the capacity")
    parser.add_argument("--cell", type=float, default=8, help="seconds of each run that looks for the capacity")
    parser.add_argument("--rate", type=float, help="the capacity, where it is known")
    parser.add_argument("--delay-ms", type=float, default=50, help="of the backend")
    parser.add_argument("--max-lag", type=float, help="seconds, for max_lag_s of gateway and controller")
    parser.add_argument("--max-waiting", type=int, help="for controller.max_waiting")


def measured(options: argparse.Namespace) -> list[str]:
    """The table."""
    asked = {
        "gateway": {"max_lag_s": options.max_lag},
        "controller": {"max_lag_s": options.max_lag, "max_waiting": options.max_waiting},
    }
    own = {service: {key: value for key, value in keys.items() if value is not None} for service, keys in asked.items()}
    is_ahead = step_ahead()
    with services(own=own) as running:
        arms.behave(running.backend, delay_ms=options.delay_ms)
        settle(hoards=True)  # a collection that looks at half a million samples delays what is due
        found = uvloop.run(overload(running, seconds=options.seconds, times=options.times, cell_s=options.cell, rate=options.rate))
    return [*_settings(own, options.delay_ms, is_ahead), *_table(found)]


async def overload(services: Services, *, seconds: float, times: float, cell_s: float, rate: float | None) -> Overload:
    """`times` the capacity for `seconds`; `cell_s` seconds each find the capacity, unless it is known (`rate`)."""
    async with chats(services.rest, made(), model="router-random-0.5", stream=False, headers={}, timeout_s=60) as call:
        await drive(call, Load(2, concurrency=16))
        capacity, callers = (rate, 0) if rate else await _capacity(call, cell_s)
        print(f"capacity {capacity:.0f}/s by {callers} callers", file=sys.stderr)
        await drive(call, Load(2, rate=UNLOADED * capacity))
        unloaded = await _phase(call, UNLOADED * capacity, max(15.0, 2 * cell_s), seed=1)
        _say("unloaded", unloaded)
        pids = services.pids()
        before, cpu, own = look(pids, services.metrics_urls()), _cpu(pids), _own_cpu()
        # What begins in the overload may end after it: what comes next doesn't wait for that.
        pressing = asyncio.ensure_future(_phase(call, times * capacity, seconds, seed=2))
        await asyncio.sleep(seconds)
        loop_end = asyncio.get_running_loop().time()
        generator = (_own_cpu() - own) / seconds
        shares = {name: (each - cpu[name]) / seconds for name, each in _cpu(pids).items()}
        after = await _phase(call, UNLOADED * capacity, _AFTER_S, seed=3)
        overloaded = await pressing
        _say("overloaded", overloaded)
        _say("after", after)
        end = look(pids, services.metrics_urls())
    limit_s = _NORMAL * percentiles(s.ended - s.due for s in unloaded.accepted())["p99"] / 1000
    normal = normal_after(after.samples, loop_end, limit_s)
    return Overload(capacity, callers, unloaded, overloaded, after, normal, generator, shares, before, end)


def normal_after(samples: Sequence[Sample], begin: float, limit_s: float) -> float | None:
    """Seconds from `begin` to the first of three whole seconds in a row whose calls, by when they were due, were all answered, their
    p99 within `limit_s`; None where there are none."""
    well = [_well(group, limit_s) for group in _by_second(samples, begin)]
    for first in range(len(well) - _IN_A_ROW + 1):
        if all(well[first : first + _IN_A_ROW]):
            return float(first)
    return None


def _by_second(samples: Sequence[Sample], begin: float) -> Iterator[list[Sample]]:
    placed = sorted((int(sample.due - begin), sample.due, sample) for sample in samples if sample.due >= begin)
    for _, group in itertools.groupby(placed, key=lambda each: each[0]):
        yield [sample for _, _, sample in group]


def _well(samples: Sequence[Sample], limit_s: float) -> bool:
    return all(not sample.error for sample in samples) and percentiles(s.ended - s.due for s in samples)["p99"] <= 1000 * limit_s


async def _capacity(call: Call, seconds: float) -> tuple[float, int]:
    """The most that were answered a second, and by how many callers."""
    found = []
    for callers in _CALLERS:
        samples = await drive(call, Load(seconds, warmup_s=1, concurrency=callers))
        found.append((sum(not sample.error for sample in samples) / seconds, callers))
        print(f"{callers} callers: {found[-1][0]:.0f}/s, {Counter(s.error for s in samples)}", file=sys.stderr)
    return max(found)


async def _phase(call: Call, rate: float, seconds: float, seed: int) -> Phase:
    return Phase(rate, seconds, await drive(call, Load(seconds, rate=rate, seed=seed)))


def _say(name: str, phase: Phase) -> None:
    accepted, refused = phase.accepted(), phase.refused()
    print(
        f"{name}: {len(phase.samples)} offered, {len(accepted)} accepted {percentiles(s.ended - s.due for s in accepted)}, {len(refused)}"
        f" refused {percentiles(s.ended - s.due for s in refused)}, lost {dict(phase.lost())},"
        f" begun late {percentiles(s.began - s.due for s in phase.samples)}",
        file=sys.stderr,
    )


def _cpu(pids: dict[str, int]) -> dict[str, float]:
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in pids.items()}


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system


def _settings(own: dict[str, dict[str, float]], delay_ms: float, is_ahead: bool) -> list[str]:
    raised = ", ".join(f"{service}.{key} {value:g}" for service, keys in own.items() for key, value in keys.items()) or "none"
    return [
        f"Chats over REST, whole answers, strategy random, a backend that takes {delay_ms:g} ms. Settings other than the"
        f" defaults: {raised}.",
        "Arrivals are Poisson and decided beforehand, and a call counts from when it was due, so that what a stall holds up counts too"
        " (coordinated omission). The generator and the backend are on the same cores, "
        + ("and preferred to the services there (autogroup -10)" if is_ahead else "and preferred to nobody")
        + "; *begun late* is how far the generator fell behind itself, and is in the latencies.",
        "",
    ]


def _table(found: Overload) -> list[str]:
    rows = ["| | unloaded | overloaded | after |", "|---|---|---|---|"]
    phases = (found.unloaded, found.overloaded, found.after)
    for name, value in _ROWS.items():
        rows.append(f"| {name} | {' | '.join(value(phase) for phase in phases)} |")
    p99 = [percentiles(s.ended - s.due for s in phase.accepted())["p99"] for phase in phases[:2]]
    normal = "never within 20 s" if found.normal_s is None else f"after {found.normal_s:.0f} s"
    busy = ", ".join(f"{name} {share:.2f}" for name, share in found.service_shares.items() if share >= 0.01)
    stalls = ", ".join(f"{name} {found.end.loops[name].stalls - loop.stalls}" for name, loop in found.before.loops.items())
    return [
        *rows,
        "",
        f"- Capacity: {found.capacity:.0f} answers/s, by {found.callers} callers in closed loop (the most of {_CALLERS}; 0: it was given).",
        f"- Accepted p99: {p99[1] / p99[0]:.1f} times the unloaded one.",
        f"- Normal {normal}: the first of three seconds in a row without a refusal or a loss, with a p99 within twice the unloaded one.",
        f"- CPU seconds a second while overloaded: {busy}; the generator {found.generator_share:.2f}.",
        f"- Looks at an event loop that found it over 100 ms behind while overloaded: {stalls}.",
    ]


def _shown(samples: Sequence[Sample], name: str, *, late: bool = False) -> str:
    found = percentiles((s.began if late else s.ended) - s.due for s in samples)
    return f"{found[name]:.0f}" if found else ""


_ROWS: Final[dict[str, Callable[[Phase], str]]] = {
    "offered, a second": lambda phase: f"{phase.rate:.0f}",
    "seconds": lambda phase: f"{phase.seconds:.0f}",
    "offered": lambda phase: f"{len(phase.samples):,}",
    "accepted": lambda phase: f"{len(phase.accepted()):,}",
    "accepted, p50 ms": lambda phase: _shown(phase.accepted(), "p50"),
    "accepted, p99 ms": lambda phase: _shown(phase.accepted(), "p99"),
    "refused with Retry-After": lambda phase: f"{len(phase.refused()):,}",
    "refused, p50 ms": lambda phase: _shown(phase.refused(), "p50"),
    "refused, p99 ms": lambda phase: _shown(phase.refused(), "p99"),
    "lost": lambda phase: ", ".join(f"{count} × {what}" for what, count in phase.lost().items()) or "0",
    "begun late, p99 ms": lambda phase: _shown(phase.samples, "p99", late=True),
}
