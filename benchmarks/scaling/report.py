"""What is said of a surge: a table by phase, what it was to show, and a picture."""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.pictures import COLOURS, picture
from benchmarks.scaling.surge import LONGEST, Course, Replicas, Seen
from pointsman.loadtest.samples import Sample, percentiles

_EVERY_S: Final = 5.0
UP_WITHIN_S: Final = 60.0
DOWN_WITHIN_S: Final = 300.0
NOTICED: Final = 1.5
"""Times the other strategy's p99 of before."""


def table(seen: Seen, options: argparse.Namespace) -> list[str]:
    """Lines of Markdown, of which the last say whether it went as it should."""
    course = seen.course
    best = LONGEST / (options.batch_ms / 1000)
    text = (
        f"Route by gRPC on one controller, open loop, Poisson arrivals. `surge`: {course.low:g} decisions a second, from {course.rises:g} s"
        f" on rising to {course.high:g} within {course.ramp_s:g} s, back at {course.falls:g} s, at once. `steady`: {options.steady:g} a"
        f" second all the time, one replica. A replica sleeps {options.batch_ms:g} ms a batch of at most {LONGEST}, whatever is in it: it"
        f" decides {best:g} a second at most. What isn't scored is an error (`on_failure: error`). `surge` has {options.least} to"
        f" {options.most} replicas, target_busy {options.target_busy:g}, downscale_delay_s {options.down:g}; all else has its defaults, but"
        f" for Serve's stock proxy in HAProxy's place, since replicas on several nodes of one machine would bind the same ports. Replicas"
        f" take a CPU each of three nodes of four, beside a head of none: Ray's nodes, the controller and the load are all on this machine."
    )
    return [
        text,
        "",
        "| from, s | to, s | offered/s | replicas | surge p50 ms | p99 ms | errors | steady p50 ms | p99 ms | errors |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(seen, begin, end) for begin, end in _phases(course)),
        "",
        *(f"- {'Yes' if well else '**No**'}: {what}" for what, well in verdicts(seen, best)),
        f"- Replicas that were to run: {changes(seen.replicas, 'target')}.",
        f"- That ran: {changes(seen.replicas, 'running')}.",
        "",
        "![Rates, replicas and latencies over time](scaling.svg)",
    ]


def verdicts(seen: Seen, best: float) -> list[tuple[str, bool]]:
    """What it was to show, with what was measured, and whether it is so."""
    return [_followed_up(seen, best), _followed_down(seen), _no_errors(seen), _unnoticed(seen)]


def _followed_up(seen: Seen, best: float) -> tuple[str, bool]:
    course, top = seen.course, seen.course.rises + seen.course.ramp_s
    enough = next((each.at for each in seen.replicas if each.at >= course.rises and each.running * best >= course.high), float("inf"))
    most, nodes = max(each.running for each in seen.replicas), max(each.nodes for each in seen.replicas)
    what = (
        f"replicas that can do {course.high:g} decisions a second run {enough - course.rises:.0f} s after the rate begins to rise,"
        f" {enough - top:+.0f} s from when it is there (within {UP_WITHIN_S:g} s); {most} at most, on {nodes} nodes."
    )
    return what, enough <= top + UP_WITHIN_S


def _followed_down(seen: Seen) -> tuple[str, bool]:
    course = seen.course
    before = max(each.running for each in seen.replicas if each.at < course.rises)
    back = next((each.at for each in seen.replicas if each.at >= course.falls and each.running <= before), float("inf")) - course.falls
    return f"as many as before ({before}) run {back:.0f} s after the fall (within {DOWN_WITHIN_S:g} s).", back <= DOWN_WITHIN_S


def _no_errors(seen: Seen) -> tuple[str, bool]:
    errors = Counter(sample.error for sample in [*seen.surge, *seen.steady] if sample.error)
    named = "".join(f"; {count} {name}" for name, count in sorted(errors.items()))
    return f"{sum(errors.values())} errors and refusals among {len(seen.surge) + len(seen.steady):,} decisions{named}.", not errors


def _unnoticed(seen: Seen) -> tuple[str, bool]:
    calm, surge = _p99(seen.steady, 0, seen.course.rises), _p99(seen.steady, seen.course.rises, seen.course.falls)
    what = f"the other strategy's p99 is {surge:.0f} ms from the rise to the fall, {surge / calm:.2f} times the {calm:.0f} ms of before"
    return f"{what} (at most {NOTICED:g} times).", surge <= NOTICED * calm


def _phases(course: Course) -> list[tuple[float, float]]:
    """Quarter minutes of the rise, half minutes of the rest."""
    top = course.rises + course.ramp_s
    edges = {0.0, course.rises, top, course.falls, course.ends}
    edges |= {course.rises + 15 * place for place in range(1, int(course.ramp_s / 15) + 1)}
    edges |= {top + 30 * place for place in range(1, int(course.high_s / 30) + 1)}
    edges |= {course.falls + 30 * place for place in range(1, int(course.after_s / 30) + 1)}
    ordered = sorted(edges)
    return list(itertools.pairwise(ordered))


def _row(seen: Seen, begin: float, end: float) -> str:
    there = [each.running for each in seen.replicas if begin <= each.at < end]
    replicas = f"{min(there)} to {max(there)}" if there and min(there) != max(there) else f"{there[0] if there else '?'}"
    offered = len(_due(seen.surge, begin, end)) / (end - begin)
    cells = " | ".join(_cells(_due(samples, begin, end)) for samples in (seen.surge, seen.steady))
    return f"| {begin:g} | {end:g} | {offered:.0f} | {replicas} | {cells} |"


def _cells(samples: Sequence[Sample]) -> str:
    latency = percentiles(sample.ended - sample.due for sample in samples if not sample.error)
    errors = sum(bool(sample.error) for sample in samples)
    return f"{latency.get('p50', float('nan')):.0f} | {latency.get('p99', float('nan')):.0f} | {errors}"


def _due(samples: Sequence[Sample], begin: float, end: float) -> list[Sample]:
    return [sample for sample in samples if begin <= sample.due < end]


def _p99(samples: Sequence[Sample], begin: float, end: float) -> float:
    return percentiles(sample.ended - sample.due for sample in _due(samples, begin, end) if not sample.error).get("p99", float("nan"))


def draw(seen: Seen, best: float, file: Path) -> None:
    """Three pictures over one time axis: rate and what replicas can do, replicas, latencies."""
    times = [_EVERY_S * place for place in range(int(seen.course.ends / _EVERY_S))]
    with picture(file, width=8, height=7) as figure:
        load, count, latency = figure.subplots(3, sharex=True)
        offered = [len(_due(seen.surge, at, at + _EVERY_S)) / _EVERY_S for at in times]
        load.step(times, offered, where="post", color=COLOURS[0], label="surge: decisions/s offered")
        at = [each.at for each in seen.replicas]
        load.step(at, [each.running * best for each in seen.replicas], where="post", color=COLOURS[2], label="its replicas can do")
        count.step(at, [each.running for each in seen.replicas], where="post", color=COLOURS[2], label="replicas that run")
        count.step(at, [each.target for each in seen.replicas], where="post", color=COLOURS[1], linestyle=":", label="that are to run")
        for name, samples, colour in (("surge", seen.surge, COLOURS[0]), ("steady", seen.steady, COLOURS[3])):
            for share, style in (("p50", "--"), ("p99", "-")):
                latency.step(times, _over_time(samples, times, share), where="post", color=colour, linestyle=style, label=f"{name} {share}")
        load.set(ylabel="decisions/s", ylim=(0, None))
        count.set(ylabel="replicas", ylim=(0, None))
        latency.set(xlabel="seconds", ylabel="ms", ylim=(0, None))
        for axes in (load, count, latency):
            axes.grid(color="#dddddd", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=8)


def _over_time(samples: Sequence[Sample], times: Sequence[float], share: str) -> list[float]:
    found: list[float] = []
    for at in times:
        good = [sample.ended - sample.due for sample in _due(samples, at, at + _EVERY_S) if not sample.error]
        found.append(percentiles(good).get(share, float("nan")))
    return found


def changes(replicas: Sequence[Replicas], which: str) -> str:
    """When their number changed."""
    told, last = [], None
    for each in replicas:
        if (now := getattr(each, which)) != last:
            told.append(f"{now} from {each.at:.0f} s on")
            last = now
    return ", ".join(told)
