"""What a request costs by way of Pointsman, LiteLLM's proxy, RouteLLM's server, and not at all. On purpose, not in CI:

    make bench-arms                                            # LiteLLM and RouteLLM, each in an environment of its own
    .venv/bin/python -m benchmarks.proxies --out benchmarks/proxies.md

Every round asks every service in turn, so that what else the machine does meets them alike; a table's figures are medians of the
rounds. CPU is that of a service's whole process tree (Pointsman's is gateway, controller and all of Ray); the load is made by
`pointsman loadtest` in a process of its own on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.ahead import step_ahead
from benchmarks.proxies import arms, plots, table
from benchmarks.proxies.arms import Arm


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load."""

    name: str
    kind: str
    concurrency: int
    delay_ms: float = 0
    gap_ms: float = 0


CELLS: Final = (
    Cell("JSON, 16 callers", "json", 16),
    Cell("stream of 32, 16 callers", "sse", 16),
    Cell("JSON, 64 callers", "json", 64),
    Cell("JSON, 1 caller", "json", 1),
    Cell("JSON, 16 callers, a backend that takes 50 ms", "json", 16, delay_ms=50),
    Cell("stream of 32, 16 callers, 10 ms between chunks", "sse", 16, gap_ms=10),
)


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    is_ahead = step_ahead()
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        services = [stack.enter_context(arms.backend()), stack.enter_context(arms.pointsman(Path(work)))]
        others = {"litellm": arms.litellm, "routellm": arms.routellm}
        services += [stack.enter_context(others[name](Path(work))) for name in arms.installed()]
        for service in services:
            arms.wait_for(service)
        found = _rounds(services, options.rounds, options.seconds)
        paced = _half_load(services, found, options.rounds, options.seconds)
    text = table.written(found, paced, rounds=options.rounds, seconds=options.seconds, is_ahead=is_ahead)
    if options.out:
        pictures = plots.write(found, options.out)
        options.out.write_text(text + "\n".join(f"![{each.stem}]({each.name})" for each in pictures) + "\n")
    else:
        print(text)


def _rounds(services: list[Arm], rounds: int, seconds: float) -> table.Found:
    found: table.Found = {}
    for number in range(rounds):
        for cell in CELLS:
            arms.behave(arms.BACKEND, delay_ms=cell.delay_ms, gap_ms=cell.gap_ms)
            for arm in services:
                one = _load(arm, cell.kind, seconds, "--concurrency", str(cell.concurrency))
                found.setdefault(cell.name, {}).setdefault(arm.name, []).append(one)
                print(f"round {number + 1}, {cell.name}, {arm.name}: {one['per_second']}/s", one["cpu_ms_per_call"], file=sys.stderr)
    arms.behave(arms.BACKEND)
    return found


def _half_load(services: list[Arm], found: table.Found, rounds: int, seconds: float) -> table.Found:
    """Open-loop load at half of what Pointsman has answered at most, on it and on the backend alone."""
    most = table.median(found["JSON, 64 callers"]["pointsman"], "per_second")
    paced: table.Found = {}
    for _ in range(rounds):
        for arm in services[:2]:
            one = _load(arm, "json", seconds * 2, "--rate", str(most / 2))
            paced.setdefault(f"JSON, {most / 2:.0f} arrivals per second", {}).setdefault(arm.name, []).append(one)
    return paced


def _load(arm: Arm, kind: str, seconds: float, *how: str) -> dict[str, Any]:
    watched = ["--pid", f"service={arm.pid}"] if arm.pid else []
    target = ["--address", arm.base_url, "--model", arm.model, *watched]
    command = [sys.executable, "-m", "pointsman.cli", "loadtest", kind, *how, "--seconds", str(seconds), "--warmup", "1", *target, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


if __name__ == "__main__":
    main()
